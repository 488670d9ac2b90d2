/**
 * The end of a process that cannot end itself. When its event loop is blocked, no timer fires and no finalizer runs; a
 * thread of its own still can. The main thread's heart beats in shared memory; the thread looks at it near the end of
 * the grace period. When it stands still, the thread asks the inspector what blocks the loop, and if it has not come
 * back to life by the last moment, says so and kills the process, before the supervisor does it without a word. A loop
 * that does come back is left alone; a healthy one is never paused.
 *
 * The thread is started by the first signal, so that it costs nothing before. A loop that was blocked already when the
 * signal came does not hear the signal either: then only the supervisor's own kill helps.
 */
import { Worker } from "node:worker_threads"

const beatMillis = 50

/** A loop that beats every 50 ms and is that late is blocked, on all but the busiest machines. */
const standstillMillisMin = 100

// Plain JavaScript in a string, because a worker from a file does not survive bundling.
const source = `
const { workerData } = require("node:worker_threads")
const { write } = require("node:fs")
const { beats, since, lookMillis, killMillis, standstillMillis, tellMillis } = workerData
const everyMillis = 20
// Of all threads the same.
const now = () => Number(process.hrtime.bigint() - since) / 1e6

// The main thread is paused for as long as it takes to ask, and goes on whatever becomes of the answer.
const ask = () => {
  const asked = { where: "", forget: () => {} }
  try {
    const { Session } = require("node:inspector")
    const session = new Session()
    session.connectToMainThread()
    asked.forget = () => session.disconnect()
    // A frame names its script by number; recent V8 leaves its url empty.
    const urls = new Map()
    session.on("Debugger.scriptParsed", ({ params }) => urls.set(params.scriptId, params.url))
    session.on("Debugger.paused", ({ params }) => {
      session.post("Debugger.resume")
      session.disconnect()
      asked.where = params.callFrames.slice(0, 5).map((frame) =>
        "    at " + (frame.functionName || "(anonymous)") +
        " (" + (frame.url || urls.get(frame.location.scriptId) || "") + ":" + (frame.location.lineNumber + 1) + ")\\n"
      ).join("")
    })
    session.post("Debugger.enable")
    session.post("Debugger.pause")
  } catch {
    // A Node without an inspector kills all the same.
  }
  return asked
}

const kill = (where) => {
  const end = () => process.kill(process.pid, "SIGKILL")
  // Not writeSync: what blocks the main thread may be just that, a log that nobody reads.
  write(2, "the event loop is blocked past the shutdown's end: killing the process\\n" + where, end)
  setTimeout(end, tellMillis)
}

let beat = -1
let before = now()
let standing = 0
let asked
const look = () => {
  const at = now()
  const current = Atomics.load(beats, 0)
  // Time in which this thread did not run either, in a process that was suspended, says nothing about the main one.
  standing = current === beat ? standing + Math.min(at - before, 2 * everyMillis) : 0
  beat = current
  before = at
  if (standing < standstillMillis) {
    asked?.forget()
    asked = undefined
  } else if (at >= lookMillis) {
    asked ??= ask()
    if (at >= killMillis) return kill(asked.where)
  }
  setTimeout(look, at < killMillis ? Math.min(everyMillis, killMillis - at) : everyMillis)
}
setTimeout(look, Math.max(1, lookMillis - 2 * standstillMillis - now()))
`

/** Watches the loop of this thread, from now on: `marginMillis` before the end at `graceMillis` it begins to judge. */
export const watch = (graceMillis: number, marginMillis: number): void => {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  setInterval(() => Atomics.add(beats, 0, 1), beatMillis).unref()
  const workerData = {
    beats,
    since: process.hrtime.bigint(),
    lookMillis: graceMillis - marginMillis,
    killMillis: graceMillis - marginMillis / 4,
    standstillMillis: Math.max(standstillMillisMin, marginMillis / 8),
    tellMillis: marginMillis / 8
  }
  try {
    const worker = new Worker(source, { eval: true, workerData, execArgv: [] })
    worker.on("error", () => {})
    worker.unref()
  } catch {
    // No threads to be had (a permission model, a limit of processes): the process is no worse off than without it.
  }
}
