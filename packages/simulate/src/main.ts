/**
 * The campaign, from the command line:
 *
 *     npx -y pnpm@12 simulate [--closes 100000] [--seconds 3600] [--seed 1] [--workers 2]
 *     npx -y pnpm@12 simulate --replay 4711
 *
 * Exit code 0 when every promise was kept, 1 when one was broken (its scenario is printed, as small as it gets), 2 when
 * the arguments are wrong.
 */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { judge } from "./block.ts"
import { campaign } from "./campaign.ts"
import { draw } from "./scenario.ts"
import { shrink } from "./shrink.ts"
import { progressLine, story, summary } from "./text.ts"

const usage = `simulate [options] | simulate --replay SEED [--whole]

  --closes N     at least so many connections' ends are closed (100000)
  --seconds N    ends after so long all the same (3600)
  --seed N       the first scenario's; the others count up from it (1)
  --workers N    as many scenarios side by side (one per core)
  --replay SEED  one scenario again, with everything that happens in it; made smaller if it fails
  --whole        with --replay: as it was drawn, not made smaller
  --help         this`

const read = () => {
  const { values } = parseArgs({
    // pnpm hands its own `--` on.
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: {
      closes: { type: "string" },
      seconds: { type: "string" },
      seed: { type: "string" },
      workers: { type: "string" },
      replay: { type: "string" },
      whole: { type: "boolean", default: false },
      help: { type: "boolean", default: false }
    }
  })
  const besides = (["closes", "seconds", "seed", "workers"] as const).find((name) => values[name] !== undefined)
  if (values.replay !== undefined && besides !== undefined) {
    throw new Error(`--replay plays one scenario: --${besides} has nothing to do with it`)
  }
  if (values.whole && values.replay === undefined) throw new Error("--whole goes with --replay")
  const whole = (name: "closes" | "seconds" | "seed" | "workers" | "replay", text: string, least: number) => {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || value < least)
      throw new Error(`--${name} ${text}: not a number from ${least} on`)
    return value
  }
  return {
    closes: whole("closes", values.closes ?? "100000", 1),
    seconds: whole("seconds", values.seconds ?? "3600", 1),
    seed: whole("seed", values.seed ?? "1", 0),
    workers: whole("workers", values.workers ?? String(availableParallelism()), 1),
    replay: values.replay === undefined ? undefined : whole("replay", values.replay, 0),
    whole: values.whole,
    help: values.help
  }
}

/** One scenario again, with everything that happens in it. */
const replay = (seed: number, whole: boolean): boolean => {
  const drawn = draw(seed)
  const broken = judge(drawn).broken.length > 0
  const scenario = broken && !whole ? shrink(drawn) : drawn
  console.log(story(scenario, judge(scenario).broken))
  console.log(broken ? "broken, see above" : "every promise was kept")
  return !broken
}

const run = async (options: ReturnType<typeof read>): Promise<boolean> => {
  let saidAt = performance.now()
  let failures = 0
  const result = await campaign({ ...options, failures: 5 }, (sofar) => {
    for (const { broken, seed } of sofar.failures.slice(failures)) console.log(`seed ${seed} broke: ${broken[0]}`)
    failures = sofar.failures.length
    if (performance.now() - saidAt < 5000) return
    saidAt = performance.now()
    console.log(progressLine(sofar))
  })
  console.log(summary(result))
  const [first] = result.failures
  if (first === undefined) return true
  console.log("\nthe first of them, as small as it gets:")
  const smallest = shrink(draw(first.seed))
  console.log(story(smallest, judge(smallest).broken))
  console.log(`\nagain: npx -y pnpm@12 simulate --replay ${first.seed}`)
  return false
}

const perform = async (options: ReturnType<typeof read>): Promise<boolean> => {
  if (options.help) console.log(usage)
  else if (options.replay === undefined) return run(options)
  else return replay(options.replay, options.whole)
  return true
}

try {
  process.exitCode = (await perform(read())) ? 0 : 1
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  process.exitCode = 2
}
