/**
 * Who is measured: a server program, and the variant of it.
 */
import type { Row, Service, Transport } from "./rows.ts"

export interface Subject {
  readonly id: string
  readonly title: string
  readonly program:
    | "raw"
    | "ws"
    | "http"
    | "upgraded"
    | "fastify"
    | "effect"
    | "effectRpc"
    | "effectHttp"
    | "dropIn"
    | "dropInRpc"
    | "dropInHttp"
    | "finwait"
    | "echod"
  /** How its handler is written; the program's own word. */
  readonly variant: string
  readonly services: ReadonlyArray<Service>
  /** TCP and Unix sockets, unless told. */
  readonly transports?: ReadonlyArray<Transport>
  /** The only kinds of work that it is there for. */
  readonly modes?: ReadonlyArray<Row["mode"]>
  /** Node's flags for its process. */
  readonly flags?: ReadonlyArray<string>
}

const framed = ["lines", "u32"] as const
const notSource = ["echo", "sink", ...framed] as const
const all = [...notSource, "source"] as const
const plain = ["tcp", "unix"] as const
const secured = ["tls", "ws"] as const
const every = [...plain, ...secured] as const
const web = { services: ["text", "work", "upload"], transports: ["http", "h2"] } as const
/** An application of Effect's, which upgrades as well. */
const apps = { services: ["text", "work", "upload", "echo"], transports: ["http", "h2", "upgraded"] } as const
const called = { services: ["rpc"], transports: ["tcp", "ws"] } as const

/** The subject that a row's ratios are to: what is bare on its transport, or Effect's own where nothing is. */
export const referenceOf = ({ service, transport }: Row): string => {
  if (service === "rpc") return "effect-rpc"
  if (transport === "h2") return "http2"
  return transport === "tcp" || transport === "unix" ? "raw" : transport
}
/** The same once more: how far two equal programs are apart is how much a ratio may be trusted. */
export const againOf = (row: Row): string => `${referenceOf(row)}-again`

/** A reference, and its twin. */
const twice = (subject: Subject): ReadonlyArray<Subject> => [
  subject,
  { ...subject, id: `${subject.id}-again`, title: `${subject.title} once more` }
]
const bare: ReadonlyArray<Subject> = [
  { id: "raw", title: "node:net", program: "raw", variant: "bare", services: all },
  { id: "tls", title: "node:tls", program: "raw", variant: "bare", services: ["echo"], transports: ["tls"] },
  { id: "ws", title: "ws", program: "ws", variant: "bare", services: ["echo"], transports: ["ws"] },
  { id: "effect-rpc", title: "Effect's RPC on Effect's server", program: "effectRpc", variant: "effect", ...called },
  { id: "http", title: "node:http", program: "http", variant: "bare", ...web, transports: ["http"] },
  { id: "http2", title: "node:http2", program: "http", variant: "bare", ...web, transports: ["h2"] },
  {
    id: "upgraded",
    title: "ws on node:http",
    program: "upgraded",
    variant: "bare",
    services: ["echo"],
    transports: ["upgraded"]
  }
]
const references = bare.flatMap(twice)

export const isReference = (id: string): boolean => references.some((subject) => subject.id === id)

export const subjects: ReadonlyArray<Subject> = [
  ...references,
  { id: "raw-effect", title: "node:net, Effect loaded", program: "raw", variant: "loaded", services: all },
  {
    id: "ws-effect",
    title: "ws, Effect loaded",
    program: "ws",
    variant: "loaded",
    services: ["echo"],
    transports: ["ws"]
  },
  { id: "echod", title: "C, epoll", program: "echod", variant: "", services: ["echo", "sink", "source"] },
  {
    id: "effect-pull",
    title: "Effect, pull loop",
    program: "effect",
    variant: "pull",
    services: all,
    transports: every
  },
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
  {
    id: "finwait-each",
    title: "Finwait, each",
    program: "finwait",
    variant: "each",
    services: notSource,
    transports: every
  },
  // What is saved where nobody looks.
  {
    id: "finwait-observed",
    title: "Finwait, each, traced and its metrics read",
    program: "finwait",
    variant: "observed",
    services: ["echo"],
    modes: ["churn"]
  },
  // What it costs to know whether a stream was cut.
  {
    id: "finwait-trusting",
    title: "Finwait, each, truncation: end",
    program: "finwait",
    variant: "trusting",
    services: ["echo"],
    transports: ["tls"],
    modes: ["ping"]
  },
  { id: "finwait-stream", title: "Finwait, Stream", program: "finwait", variant: "stream", services: all },
  {
    id: "finwait-framing",
    title: "Finwait, Framing.respond",
    program: "finwait",
    variant: "framing",
    services: framed
  },
  { id: "finwait-messages", title: "Finwait, Framing.pull", program: "finwait", variant: "messages", services: framed },
  // Effect's handlers, on Finwait's server.
  {
    id: "finwait-drop-in",
    title: "Finwait as NodeSocketServer, pull loop",
    program: "dropIn",
    variant: "pull",
    services: ["echo"],
    transports: secured
  },
  { id: "finwait-rpc", title: "Effect's RPC on Finwait's server", program: "dropInRpc", variant: "effect", ...called },
  { id: "finwait-rpc-drain", title: "Finwait, RpcDrain", program: "dropInRpc", variant: "drain", ...called },
  {
    id: "http-effect",
    title: "node:http, Effect loaded",
    program: "http",
    variant: "loaded",
    ...web,
    transports: ["http"]
  },
  { id: "fastify", title: "fastify", program: "fastify", variant: "default", ...web },
  // It refuses what is asked while it closes, unless told.
  {
    id: "fastify-answering",
    title: "fastify, return503OnClosing: false",
    program: "fastify",
    variant: "answering",
    ...web,
    modes: ["hold"]
  },
  { id: "effect-http", title: "Effect, HttpServer.serve", program: "effectHttp", variant: "serve", ...apps },
  { id: "effect-router", title: "Effect, HttpRouter.serve", program: "effectHttp", variant: "router", ...web },
  { id: "finwait-http", title: "Finwait, HttpServer.serve", program: "dropInHttp", variant: "serve", ...apps },
  { id: "finwait-router", title: "Finwait, HttpRouter.serve", program: "dropInHttp", variant: "router", ...web }
]

/** The subjects of a row that can run here; only those that are asked for, if it is not all of them. */
export const subjectsOf = (row: Row, hasCompiler: boolean, only?: ReadonlyArray<string>): ReadonlyArray<Subject> =>
  row.figure === "simulated"
    ? []
    : subjects.filter(
        ({ id, modes, program, services, transports = plain }) =>
          services.includes(row.service) &&
          transports.includes(row.transport) &&
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
