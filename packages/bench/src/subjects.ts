/**
 * Who is measured: a server program, and the variant of it.
 */
import type { Row, Service } from "./rows.ts"

export interface Subject {
  readonly id: string
  readonly title: string
  readonly program: "raw" | "effect" | "finwait" | "echod"
  /** How its handler is written; the program's own word. */
  readonly variant: string
  readonly services: ReadonlyArray<Service>
  /** The only kinds of work that it is there for. */
  readonly modes?: ReadonlyArray<Row["mode"]>
  /** Node's flags for its process. */
  readonly flags?: ReadonlyArray<string>
}

const framed = ["lines", "u32"] as const
const notSource = ["echo", "sink", ...framed] as const
const all = [...notSource, "source"] as const

/** The subject that all ratios are to. */
export const reference = "raw"
/** The same once more: how far two equal programs are apart is how much a ratio may be trusted. */
export const again = "raw-again"

export const subjects: ReadonlyArray<Subject> = [
  { id: reference, title: "node:net", program: "raw", variant: "bare", services: all },
  { id: again, title: "node:net once more", program: "raw", variant: "bare", services: all },
  { id: "raw-effect", title: "node:net, Effect loaded", program: "raw", variant: "loaded", services: all },
  { id: "echod", title: "C, epoll", program: "echod", variant: "", services: ["echo", "sink", "source"] },
  { id: "effect-pull", title: "Effect, pull loop", program: "effect", variant: "pull", services: all },
  { id: "effect-stream", title: "Effect, Stream", program: "effect", variant: "stream", services: all },
  { id: "effect-channel", title: "Effect, Channel", program: "effect", variant: "channel", services: ["echo"] },
  {
    id: "effect-messages",
    title: "Effect, message by message",
    program: "effect",
    variant: "messages",
    services: framed
  },
  { id: "finwait-pull", title: "Finwait, pull loop", program: "finwait", variant: "pull", services: all },
  { id: "finwait-each", title: "Finwait, each", program: "finwait", variant: "each", services: notSource },
  // What is saved where nobody looks.
  {
    id: "finwait-observed",
    title: "Finwait, each, traced and its metrics read",
    program: "finwait",
    variant: "observed",
    services: ["echo"],
    modes: ["churn"]
  },
  { id: "finwait-stream", title: "Finwait, Stream", program: "finwait", variant: "stream", services: all },
  {
    id: "finwait-framing",
    title: "Finwait, Framing.respond",
    program: "finwait",
    variant: "framing",
    services: framed
  },
  { id: "finwait-messages", title: "Finwait, Framing.pull", program: "finwait", variant: "messages", services: framed }
]

/** The subjects of a row that can run here; only those that are asked for, if it is not all of them. */
export const subjectsOf = (row: Row, hasCompiler: boolean, only?: ReadonlyArray<string>): ReadonlyArray<Subject> =>
  row.figure === "simulated"
    ? []
    : subjects.filter(
        ({ id, modes, program, services }) =>
          services.includes(row.service) &&
          (modes === undefined || modes.includes(row.mode)) &&
          (hasCompiler || program !== "echod") &&
          (only === undefined || only.includes(id))
      )

const flagged = "+flags"

/** Each server that is a program of Node's a second time, with flags of Node's: what they would give. */
export const withFlags = (subjects: ReadonlyArray<Subject>, flags: ReadonlyArray<string>): ReadonlyArray<Subject> =>
  flags.length === 0
    ? subjects
    : subjects.flatMap((subject) =>
        subject.program === "echod"
          ? [subject]
          : [subject, { ...subject, id: subject.id + flagged, title: `${subject.title}, with flags`, flags }]
      )

/** Whom a subject with flags is the twin of. */
export const twinOf = (id: string): string | undefined =>
  id.endsWith(flagged) ? id.slice(0, -flagged.length) : undefined
