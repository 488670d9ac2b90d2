/** `finwait demo`: a check of the same small server twice, on Effect's own sockets and on Finwait. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { fileURLToPath } from "node:url"
import type { Bounds } from "../check/Bounds.ts"
import { check } from "../check/check.ts"
import { freePort } from "../check/freePort.ts"
import { Lines } from "../check/progress.ts"
import { script } from "../demo/script.ts"
import { scriptProfile } from "../profiles/profiles.ts"
import { beside } from "../report/beside.ts"
import type { Report } from "../report/Report.ts"
import { chosen } from "../scenarios/index.ts"
import { promised } from "./exits.ts"

/** Short: who hangs is to be seen hanging, and not for half a minute each time. */
const bounds: Bounds = {
  promptMillis: 1500,
  lateMillis: 2500,
  deadlineMillis: 4000,
  graceMillis: 5000,
  closeMillis: 5000
}

/** This file's own kind: sources when they are run, and what they were compiled to. */
const fileOf = (name: string): string => {
  const here = fileURLToPath(import.meta.url)
  return here.replace(/commands(.)demo(\.[jt]s)$/, `demo$1${name}$2`)
}

/** What a server of lines has no words for, and what the demo's cannot be asked. */
const unspoken = ["S2d", "S2e", "S11"]

const subjects = [
  { name: "Effect's own", program: "effect" },
  { name: "Finwait", program: "finwait" }
] as const

const play = async ({ name, program }: (typeof subjects)[number], signal: AbortSignal): Promise<Report> => {
  const to = await freePort("127.0.0.1")
  const profile = scriptProfile("line", { to, script })
  process.stderr.write(`\n${name}\n`)
  const lines = new Lines(process.stderr, 1)
  const command = {
    words: [process.execPath, fileOf(program)],
    to,
    signal: "SIGTERM" as const,
    startMillis: 20_000
  }
  const options = {
    name,
    command,
    profile,
    bounds,
    connections: 500,
    restMillis: 0,
    repeat: 1,
    captures: false,
    scenarios: chosen([], unspoken)
  }
  try {
    return await check(options, lines, signal)
  } finally {
    lines.end()
  }
}

const intro = `The same small job server twice: on Effect's own NodeSocketServer, then on Finwait. Each line starts it, puts
clients on it, and sends it a SIGTERM. Nothing is simulated: the processes, the sockets and the signal are real.
`

export const demoCommand = Command.make(
  "demo",
  {},
  Effect.fnUntraced(function* () {
    process.stderr.write(intro)
    const reports = yield* promised(
      async (signal) => [await play(subjects[0], signal), await play(subjects[1], signal)] as const
    )
    process.stdout.write(`\n${beside(reports)}\n`)
    const isGood = reports[1].rows.every(({ verdict }) => verdict === "pass" || verdict === "n/a")
    process.exitCode = isGood ? 0 : 1
  })
).pipe(Command.withDescription("A check of the same small server twice: on Effect's own sockets, and on Finwait"))
