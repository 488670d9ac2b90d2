/** The command `finwait` as a process, and the processes of a machine. */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export const start = (...words: ReadonlyArray<string>) => {
  const { NODE_OPTIONS: _options, VITEST: _runner, ...env } = process.env
  const child = spawn(process.execPath, [main, ...words], { env, stdio: ["ignore", "pipe", "pipe"] })
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (text) => (stdout += String(text)))
  child.stderr.on("data", (text) => (stderr += String(text)))
  const ended = new Promise<Ran>((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })))
  return { child, ended, said: () => stdout + stderr }
}

export const run = (...words: ReadonlyArray<string>): Promise<Ran> => start(...words).ended

/** Those whose command line is so; where there is a /proc. */
export const processes = (isWanted: (words: ReadonlyArray<string>, pid: string) => boolean): ReadonlyArray<string> =>
  readdirSync("/proc").filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").slice(0, -1)
      return /^\d+$/.test(pid) && isWanted(words, pid)
    } catch {
      return false
    }
  })
