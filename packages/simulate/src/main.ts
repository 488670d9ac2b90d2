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

const usage = "simulate [--closes N] [--seconds N] [--seed N] [--workers N] | --replay SEED [--whole]"

const read = () => {
  const { values } = parseArgs({
    // pnpm hands its own `--` on.
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: {
      closes: { type: "string", default: "100000" },
      seconds: { type: "string", default: "3600" },
      seed: { type: "string", default: "1" },
      workers: { type: "string", default: String(availableParallelism()) },
      replay: { type: "string" },
      whole: { type: "boolean", default: false }
    }
  })
  const whole = (name: "closes" | "seconds" | "seed" | "workers" | "replay", text: string, least: number) => {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || value < least)
      throw new Error(`--${name} ${text}: not a number from ${least} on`)
    return value
  }
  return {
    closes: whole("closes", values.closes, 1),
    seconds: whole("seconds", values.seconds, 1),
    seed: whole("seed", values.seed, 0),
    workers: whole("workers", values.workers, 1),
    replay: values.replay === undefined ? undefined : whole("replay", values.replay, 0),
    whole: values.whole
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

try {
  const options = read()
  const kept = options.replay === undefined ? await run(options) : replay(options.replay, options.whole)
  process.exitCode = kept ? 0 : 1
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`)
  process.exitCode = 2
}
