/**
 * Ends what a check has started when the check itself is gone, however it went: a process of its own, which is told of
 * process groups and sockets on its standard input, and finds out by the end of that.
 */
import { createInterface } from "node:readline"
import { endMarked, killGroup } from "./processes.ts"
import { removeSocket } from "./socketFile.ts"

const groups = new Set<number>()
const sockets = new Set<string>()
let mark = ""

process.on("SIGINT", () => {})
process.on("SIGTERM", () => {})

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [, word, value = ""] = /^(\w+) (.*)$/.exec(line) ?? []
    if (word === "mark") mark = value
    else if (word === "started") groups.add(Number(value))
    else if (word === "ended") groups.delete(Number(value))
    else if (word === "socket") sockets.add(value)
    else if (word === "removed") sockets.delete(value)
  })
  .on("close", () => {
    for (const group of groups) killGroup(group, "SIGKILL")
    if (mark !== "") endMarked(mark)
    for (const path of sockets) removeSocket(path)
    process.exit(0)
  })
