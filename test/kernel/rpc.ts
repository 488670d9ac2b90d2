/** The child's side of the conversation with a test: a line of JSON asks, a line of JSON answers. */
import { createInterface } from "node:readline"

export interface Question {
  readonly id: number
  readonly name: string
  readonly argument: never
}

export type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string }

export const say = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`)

/** Answers every question, in whatever order the answers come; `onEnd` when nobody asks any more. */
export const answer = (
  handlers: Record<string, (argument: never) => unknown>,
  onEnd: () => void = () => process.exit(0)
): void => {
  const lines = createInterface({ input: process.stdin })
  lines.on("line", (line) => void reply(JSON.parse(line) as Question))
  lines.on("close", onEnd)
  const reply = async ({ argument, id, name }: Question) => {
    try {
      say({ id, value: (await handlers[name]!(argument)) ?? null } satisfies Answer)
    } catch (error) {
      say({ id, error: String(error) } satisfies Answer)
    }
  }
}
