/**
 * Ends what a check has started when the check itself is gone, however it went: a process of its own, which is told of
 * process groups on its standard input, and finds out by the end of that.
 */
import { createInterface } from "node:readline"
import { endMarked, killGroup } from "./processes.ts"

const groups = new Set<number>()
let mark = ""

process.on("SIGINT", () => {})
process.on("SIGTERM", () => {})

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [word, value = ""] = line.split(" ")
    if (word === "mark") mark = value
    else if (word === "started") groups.add(Number(value))
    else groups.delete(Number(value))
  })
  .on("close", () => {
    for (const group of groups) killGroup(group, "SIGKILL")
    if (mark !== "") endMarked(mark)
    process.exit(0)
  })
