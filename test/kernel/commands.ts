/** Commands of the system, for what no process of ours can do itself. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"

/** Far more than any of them takes. */
const timeout = 20_000

/** Runs a command; fails with what it said. */
export const run = async (command: string, ...args: ReadonlyArray<string>): Promise<string> => {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { timeout })
    return stdout + stderr
  } catch (error) {
    const { code, stderr } = error as { readonly code?: string | number; readonly stderr?: string }
    const why = (stderr ?? "").trim() || String(code ?? error)
    throw new Error(`${[command, ...args].join(" ")}: ${why}`, { cause: error })
  }
}

/** Whether a command of this name can be run at all, whatever it says. */
export const exists = async (command: string): Promise<boolean> => {
  try {
    await promisify(execFile)(command, ["-V"], { timeout })
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT"
  }
}

/** Runs `ip` in a namespace. */
export const ip = (namespace: string, ...words: ReadonlyArray<string>): Promise<string> =>
  run("ip", "-n", namespace, ...words)

/**
 * The words that put a command into a namespace, and in front of what else the machine has to do: its deadlines are in
 * real time.
 */
export const inside = (namespace: string): ReadonlyArray<string> =>
  ["nice -n -5", "ip netns exec", namespace].flatMap((words) => words.split(" "))
