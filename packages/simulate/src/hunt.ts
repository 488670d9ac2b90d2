/**
 * Everything there is to find a mistake in the close or the drain: explorations of every order, a short campaign, and
 * the laws of transports on the simulated network. Prints who found what first, or with `--all` what each found; for the
 * tests, which plant mistakes and hunt for them. Exit code 1 when something was found.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as SimNetwork from "finwait/testing/SimNetwork"
import * as Simulation from "finwait/testing/Simulation"
import * as TransportLaws from "finwait/testing/TransportLaws"
import { judge } from "./block.ts"
import { explore } from "./explorations.ts"
import { draw } from "./scenario.ts"

Error.stackTraceLimit = 0

/** How many scenarios a short campaign has: with the rarest of the planted mistakes in mind. */
const scenarios = 600

const laws = (): ReadonlyArray<string> =>
  TransportLaws.laws({
    name: "the simulated network",
    ground: Effect.map(SimNetwork.make(), ({ provider, socketsOpen }) => ({
      provider,
      address: "tcp://127.0.0.1:7000",
      socketsOpen
    })),
    turnsMax: 10_000,
    muchBytes: 1024 * 1024
  }).flatMap((law) => {
    const exit = Simulation.run(law.check)
    return Exit.isSuccess(exit) ? [] : [`${law.name}: ${String(Cause.squash(exit.cause)).split("\n")[0]}`]
  })

/** The first scenario that breaks a promise, if any. */
const campaign = (): ReadonlyArray<string> => {
  for (let seed = 1; seed <= scenarios; seed++) {
    const { broken } = judge(draw(seed))
    if (broken.length > 0) return [`seed ${seed}: ${broken[0]!.slice(0, 300)}`]
  }
  return []
}

const hunters = { explorations: explore, campaign, laws }
const all = process.argv.includes("--all")
for (const [name, hunt] of Object.entries(hunters)) {
  const [first] = hunt()
  if (first === undefined) continue
  console.log(`${name}: ${first}`)
  process.exitCode = 1
  if (!all) break
}
