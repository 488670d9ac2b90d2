/**
 * Plays the blocks that it is sent.
 */
import { parentPort } from "node:worker_threads"
import { playBlock } from "./block.ts"

// Errors are values here, by the million; nobody reads where they were made.
Error.stackTraceLimit = 0

parentPort!.on("message", (from: number) => parentPort!.postMessage(playBlock(from)))
