/**
 * The demo: the same job server on Effect's own `NodeSocketServer`, then on Finwait. Thirty clients, a real SIGTERM,
 * and what became of everyone.
 *
 *     node packages/scorecard/src/demo.ts [--json] [subject …]
 *
 * Its exit code is 0 when the last subject treated everyone as it should.
 */
import { clientCount } from "./demo/groups.ts"
import { Live } from "./demo/Live.ts"
import { allWell, data, sideBySide } from "./demo/summary.ts"
import { bold, dim, wrap } from "./demo/text.ts"
import { capSeconds, playDemo } from "./demo/workload.ts"
import type { Result } from "./Scenario.ts"
import { subjectExists } from "./subjects.ts"

const names: Record<string, string> = {
  effect: "Effect's own",
  finwait: "Finwait",
  node: "node:net"
}
const nameOf = (subject: string) => names[subject] ?? subject

const json = process.argv.includes("--json")
const asked = process.argv.slice(2).filter((word) => !word.startsWith("-"))
const subjects = asked.length > 0 ? asked : ["effect", "finwait"]

const say = (text: string) => json || process.stdout.write(`${text}\n`)

const endOf = ({ clients, exitCode, killed, secondsToExit, signal }: Result) =>
  killed
    ? `still running ${capSeconds} s after SIGTERM${heldBy(clients.filter((client) => client.ending === "open"))}: SIGKILL`
    : `ended ${secondsToExit?.toFixed(1)} s after SIGTERM, exit code ${exitCode ?? signal}`

const heldBy = (open: Result["clients"]) =>
  open.length === 1 ? `, held by one ${open[0]?.group}` : open.length > 1 ? `, held by ${open.length} clients` : ""

const playLive = async (subject: string): Promise<Result> => {
  say(`\n${bold(nameOf(subject))}`)
  const live = new Live()
  const result = await playDemo(subject, (stage) => {
    say(`  ${clientCount} clients connected, SIGTERM sent to process ${stage.server.pid}`)
    live.watch(stage)
  })
  live.end(result.clients, dim(endOf(result)))
  return result
}

// The children are held on a leash and end with us.
process.on("SIGINT", () => process.exit(130))
process.on("SIGTERM", () => process.exit(143))

for (const subject of subjects) {
  if (!subjectExists(subject)) {
    process.stderr.write(`no such subject: ${subject}\n`)
    process.exit(2)
  }
}

say(bold("What happens to clients when a server is told to stop"))
say("")
say(
  wrap(`The same small job server twice: on Effect's own NodeSocketServer, then on Finwait. ${clientCount} clients are
    in the middle of something when the process gets a SIGTERM. Nothing is simulated: the processes, the sockets and
    the signal are real.`)
)
say("")
say(dim("● as it should be   ✗ answer lost, or cut off   ○ not told anything yet"))

const from = performance.now()
const results: Array<Result> = []
for (const subject of subjects) {
  results.push(await (json ? playDemo(subject, () => {}) : playLive(subject)))
}
const seconds = (performance.now() - from) / 1000

say(`\n${sideBySide(results, subjects.map(nameOf))}\n`)
say(
  wrap(`A FIN ends a connection in good order. An RST cuts it off and throws away what the client had not read yet,
    which is right only for one that never reads.`)
)
if (json) process.stdout.write(`${JSON.stringify(data(results, seconds), null, 2)}\n`)

const last = results.at(-1)
process.exitCode = last !== undefined && allWell(last) ? 0 : 1
