/**
 * What the figures of a fault may be: a time that is no number would stop virtual time for ever.
 */
import type { Fault, Planned, Tag } from "../Fault.ts"

interface Figure {
  readonly is: (value: unknown) => boolean
  readonly allowed: string
}

export const stages = ["Farewell", "Flushing", "Lingering"] as const

const time: Figure = {
  is: (value) => typeof value === "number" && value >= 0,
  allowed: "a number of milliseconds of at least 0"
}
const rate: Figure = {
  is: (value) => typeof value === "number" && value > 0,
  allowed: "a number of bytes above 0"
}
const count: Figure = {
  is: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  allowed: "a whole number of at least 0"
}
const code: Figure = {
  is: (value) => typeof value === "string" && value !== "",
  allowed: "a system's code, as EMFILE"
}
const stage: Figure = {
  is: (value) => (stages as ReadonlyArray<unknown>).includes(value),
  allowed: stages.join(", ")
}

const figures: { readonly [T in Tag]: Readonly<Record<string, Figure>> } = {
  Delay: { millis: time },
  Jitter: { millis: time },
  Stall: { millis: time },
  LinkDown: { millis: time },
  Reset: {},
  ResetAtByte: { byte: count },
  ResetAtStage: { stage },
  HalfOpen: {},
  SlowReader: { bytesPerSecond: rate },
  SlowWriter: { bytesPerSecond: rate },
  LateFin: { millis: time },
  DuplicateFin: {},
  Pause: { millis: time },
  AcceptError: { code, times: count },
  Refuse: { millis: time }
}

const show = (value: unknown): string => (typeof value === "number" ? String(value) : JSON.stringify(value))

/** What is wrong with a fault, if anything. */
export const problemOf = (fault: Fault): string | undefined => {
  const { _tag, ...said } = fault as Fault & Readonly<Record<string, unknown>>
  if (!Object.hasOwn(figures, _tag)) return `no fault is called ${show(_tag)}: ${Object.keys(figures).join(", ")}`
  const names = figures[_tag]
  for (const [name, { allowed, is }] of Object.entries(names)) {
    if (!is(said[name])) return `Fault.${_tag}.${name} must be ${allowed}, not ${show(said[name])}`
  }
  const unknown = Object.keys(said).find((name) => !Object.hasOwn(names, name))
  return unknown === undefined ? undefined : `Fault.${_tag} has no ${unknown}`
}

/** Throws a `RangeError` that says what is wrong. */
export const checkFault = (fault: Fault): void => {
  const problem = problemOf(fault)
  if (problem !== undefined) throw new RangeError(problem)
}

export const checkPlanned = (plan: Planned): Planned => {
  const { afterMillis, connection, fault, side } = plan
  if (fault === undefined)
    throw new RangeError(`not a planned fault: ${show(plan)}; Fault.planned({ fault }) makes one`)
  checkFault(fault)
  const where = `Fault.planned, ${fault._tag}:`
  if (!time.is(afterMillis))
    throw new RangeError(`${where} afterMillis must be ${time.allowed}, not ${show(afterMillis)}`)
  const isWhom = connection === "each" || connection === "listener" || (count.is(connection) && connection > 0)
  if (!isWhom) {
    throw new RangeError(`${where} connection must be a number from 1 on, or "each", not ${show(connection)}`)
  }
  if (side !== "client" && side !== "server") {
    throw new RangeError(`${where} side must be "client" or "server", not ${show(side)}`)
  }
  return plan
}
