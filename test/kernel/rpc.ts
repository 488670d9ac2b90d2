/** The child's side of the conversation with a test: a line of JSON asks, a line of JSON answers. */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { createInterface } from "node:readline"

export interface Question {
  readonly id: number
  readonly name: string
  readonly argument: never
}

export type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string }

export const say = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`)

/**
 * Answers every question, in whatever order the answers come; `onEnd` when nobody asks any more. `late` is one of them
 * everywhere: by how many milliseconds the loop was late at worst, since it was last asked.
 */
export const answer = (
  handlers: Record<string, (argument: never) => unknown>,
  onEnd: () => void = () => process.exit(0)
): void => {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const late = () => {
    const worst = delay.max / 1e6
    delay.reset()
    return worst
  }
  const lines = createInterface({ input: process.stdin })
  lines.on("line", (line) => void reply(JSON.parse(line) as Question))
  lines.on("close", onEnd)
  const reply = async ({ argument, id, name }: Question) => {
    try {
      say({ id, value: (await (name === "late" ? late() : handlers[name]!(argument))) ?? null } satisfies Answer)
    } catch (error) {
      say({ id, error: String(error) } satisfies Answer)
    }
  }
}
