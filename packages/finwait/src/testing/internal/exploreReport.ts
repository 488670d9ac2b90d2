/**
 * Tells of an order, step by step, so that a person can follow it.
 */
import * as Context from "effect/Context"
import type { AnyFiber, Entry, Witness } from "./exploreOrder.ts"

/** What a program calls a fiber, and everything that it starts. */
export const CurrentName = Context.Reference<string | undefined>("finwait/testing/Explore/name", {
  defaultValue: () => undefined
})

interface Step {
  readonly nanos: number
  readonly entry: Entry | undefined
  readonly deviates: boolean
  readonly passedOver: Entry | undefined
  readonly fibers: Array<AnyFiber>
  readonly preempted: Array<readonly [AnyFiber, string]>
}

/** Longer than that, code tells less than it hides. */
const codeMax = 80

export class Telling implements Witness {
  private steps: Array<Step> = []
  /** Steps before the choices began. */
  private before = 0
  private readonly numbers = new Map<AnyFiber, number>()
  private readonly given = new Map<AnyFiber, string>()
  private readonly origins = new Map<Entry | AnyFiber, string>()
  /** Where fibers without a name come from, of those that were named. */
  private readonly legend = new Map<number, string>()
  private bornAt: string | undefined
  private isOver = false
  private current: Step

  constructor() {
    this.current = this.step(0, undefined, false, undefined)
  }

  private step(nanos: number, entry: Entry | undefined, deviates: boolean, passedOver: Entry | undefined): Step {
    const step: Step = { nanos, entry, deviates, passedOver, fibers: [], preempted: [] }
    this.steps.push(step)
    return (this.current = step)
  }

  born(): void {
    this.bornAt = origin()
  }

  added(entry: Entry): void {
    const from = entry.kind === "start" ? this.bornAt : entry.kind === "event" ? origin() : undefined
    if (from !== undefined) this.origins.set(entry, from)
  }

  opened(): void {
    // The step in which it is said is the first of interest.
    this.before = this.steps.length - 1
  }

  closed(): void {
    this.isOver = true
  }

  taken(entry: Entry, nanos: number, deviates: boolean, passedOver: Entry | undefined): void {
    if (!this.isOver) this.step(nanos, entry, deviates, passedOver)
  }

  ran(fiber: AnyFiber): void {
    if (this.isOver) return
    const { entry, fibers } = this.current
    if (!this.origins.has(fiber)) {
      // Who made it: of a fiber that starts in a turn of its own, whoever made that turn.
      const from = entry?.kind === "start" && fibers.length === 0 ? this.origins.get(entry) : this.bornAt
      this.origins.set(fiber, this.origins.size === 0 ? "" : (from ?? ""))
      this.numbers.set(fiber, this.numbers.size)
    }
    const given = Context.get(fiber.context, CurrentName)
    if (given !== undefined) this.given.set(fiber, given)
    if (!fibers.includes(fiber)) fibers.push(fiber)
  }

  preempted(fiber: AnyFiber, primitive: unknown): void {
    this.current.preempted.push([fiber, codeOf(primitive)])
  }

  /** The name that it was last given; those of one name are counted. */
  private name(fiber: AnyFiber): string {
    const given = this.given.get(fiber)
    if (given !== undefined) {
      const before = [...this.given.entries()]
        .filter(([, name]) => name === given)
        .findIndex(([other]) => other === fiber)
      return before === 0 ? given : `${given} ${before + 1}`
    }
    const number = this.numbers.get(fiber)!
    const origin = this.origins.get(fiber)!
    if (number === 0) return "main"
    if (origin !== "") this.legend.set(number, `  fiber ${number}: made in ${origin}`)
    return `fiber ${number}`
  }

  /** One line a step. */
  get lines(): ReadonlyArray<string> {
    const width = String(this.steps.length).length
    this.legend.clear()
    const lines = this.steps.slice(this.before).map((step, index) => {
      const time = `${step.nanos / 1_000_000} ms`
      const mark = step.deviates || step.preempted.length > 0 ? "*" : " "
      return `${mark} ${String(this.before + index).padStart(width)}  ${time.padStart(8)}  ${this.describe(step)}`
    })
    const skipped = this.before > 0 ? [`  steps before ${this.before} in the usual order`] : []
    return [...skipped, ...lines, ...this.legend.values()]
  }

  private describe(step: Step): string {
    const { deviates, entry, fibers, passedOver, preempted } = step
    const who = fibers.map((fiber) => this.name(fiber))
    const parts = [this.what(entry, who)]
    if (passedOver !== undefined) parts.push(`before ${this.who(passedOver)}, which waits for the end of all others`)
    else if (deviates) parts.push("out of turn")
    for (const [fiber, code] of preempted) parts.push(`${this.name(fiber)} is preempted before: ${code}`)
    return parts.join("; ")
  }

  private what(entry: Entry | undefined, who: ReadonlyArray<string>): string {
    const [first, ...others] = who
    if (entry?.kind === "event") return [`[${this.origins.get(entry) ?? "event"}]`, ...who].join(", ")
    const does = entry === undefined ? "begins" : doing[entry.kind]
    return [`${first ?? "nobody"} ${does}`, ...others].join(", then ")
  }

  /** Who will run in a task that may not have run yet. */
  private who(entry: Entry): string {
    const step = this.steps.find((step) => step.entry === entry)
    if (entry.kind === "event" || step?.fibers[0] === undefined) return `[${this.origins.get(entry) ?? "event"}]`
    return this.name(step.fibers[0])
  }
}

const doing = { start: "starts", goOn: "goes on after a yield", preempted: "goes on", timer: "has slept", event: "" }

/** Files whose functions are on every stack. */
const machinery = /node_modules|testing\/(Explore|internal\/(world|explore|choices|sim\/timeline))|node:/

/** Who made something: the innermost function that says anything, and the one that began it all. */
const origin = (): string | undefined => {
  // Not every engine has a limit, nor does every one say what it is.
  const limits = Error as { stackTraceLimit?: number }
  const { stackTraceLimit } = limits
  limits.stackTraceLimit = 50
  const { stack = "" } = new Error("origin")
  if (stackTraceLimit !== undefined) limits.stackTraceLimit = stackTraceLimit
  const names: Array<string> = []
  for (const line of stack.split("\n").slice(1)) {
    if (machinery.test(line)) {
      if (names.length > 0) break
      continue
    }
    const name = /at (?:new |async )?([\w.$]+) \(\w*[:/]/.exec(line)?.[1]
    if (name !== undefined) names.push(name.replace(/^Object\./, ""))
  }
  const [innermost, outermost] = [names[0], names.at(-1)]
  return innermost === outermost ? innermost : `${outermost} > ${innermost}`
}

/** What an operation would run, as far as it has code of its own. */
const codeOf = (primitive: unknown): string => {
  const operation = primitive as Record<string, unknown>
  const code = operation["~effect/Effect/args"] ?? operation["register"]
  const name = String(operation["~effect/Effect/identifier"])
  if (typeof code === "function") {
    const text = String(code).replaceAll(/\s+/g, " ")
    return text.length > codeMax ? `${text.slice(0, codeMax)}…` : text
  }
  return name === "Success" ? "what follows a success" : name === "Failure" ? "what follows a failure" : name
}
