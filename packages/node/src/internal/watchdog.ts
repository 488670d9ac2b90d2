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
  await session.post("Debugger.enable")
  const paused = new Promise((resolve) => session.once("Debugger.paused", resolve))
  await session.post("Debugger.pause")
  const { params } = await paused
  return params.callFrames.slice(0, 5).map((frame) =>
    "    at " + (frame.functionName || "(anonymous)") + " (" + frame.url + ":" + (frame.location.lineNumber + 1) + ")"
  ).join("\\n")
}

setTimeout(async () => {
  const limit = new Promise((resolve) => setTimeout(resolve, 250))
  const where = await Promise.race([blockedBy().catch(() => undefined), limit])
  writeSync(2, "the event loop is blocked past the shutdown's end: killing the process\\n" + (where ? where + "\\n" : ""))
  process.kill(process.pid, "SIGKILL")
}, workerData.millis)
`

export const watch = (millis: number): void => {
  const worker = new Worker(source, { eval: true, workerData: { millis }, execArgv: [] })
  // Without it the process is no worse off than before: nothing to report.
  worker.on("error", () => {})
  worker.unref()
}
