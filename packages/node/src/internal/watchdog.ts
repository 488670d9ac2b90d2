/**
 * The end of a process that cannot end itself. When its event loop is blocked, no timer fires and no finalizer runs; a
 * thread of its own still can. It waits, and if the process is still there, says what blocks it (as far as the inspector
 * can tell) and kills it.
 *
 * The thread is started by the first signal, so that it costs nothing before. A loop that was blocked already when the
 * signal came does not hear the signal either: then only the supervisor's own kill helps.
 */
import { Worker } from "node:worker_threads"

// Plain JavaScript in a string, because a worker from a file does not survive bundling.
const source = `
const { workerData } = require("node:worker_threads")
const { writeSync } = require("node:fs")

const blockedBy = async () => {
  const { Session } = require("node:inspector/promises")
  const session = new Session()
  session.connectToMainThread()
  // A frame names its script by number; recent V8 leaves its url empty.
  const urls = new Map()
  session.on("Debugger.scriptParsed", ({ params }) => urls.set(params.scriptId, params.url))
  await session.post("Debugger.enable")
  const paused = new Promise((resolve) => session.once("Debugger.paused", resolve))
  await session.post("Debugger.pause")
  const { params } = await paused
  return params.callFrames.slice(0, 5).map((frame) =>
    "    at " + (frame.functionName || "(anonymous)") +
    " (" + (frame.url || urls.get(frame.location.scriptId) || "") + ":" + (frame.location.lineNumber + 1) + ")"
  ).join("\\n")
}

setTimeout(async () => {
  const limit = new Promise((resolve) => setTimeout(resolve, workerData.askMillis))
  const where = await Promise.race([blockedBy().catch(() => undefined), limit])
  writeSync(2, "the event loop is blocked past the shutdown's end: killing the process\\n" + (where ? where + "\\n" : ""))
  process.kill(process.pid, "SIGKILL")
}, workerData.millis)
`

/** How long the inspector is waited for at least: on an idle machine it takes a tenth of that. */
const askMillisMin = 250

/** Kills after `millis`, having asked for no longer than until `untilMillis`, if that leaves time to ask at all. */
export const watch = (millis: number, untilMillis: number): void => {
  const workerData = { millis, askMillis: Math.max(askMillisMin, untilMillis - millis) }
  const worker = new Worker(source, { eval: true, workerData, execArgv: [] })
  // Without it the process is no worse off than before: nothing to report.
  worker.on("error", () => {})
  worker.unref()
}
