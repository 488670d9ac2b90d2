/**
 * What is measured: one row per kind of work. A transport that comes later adds its rows here and its servers to
 * `subjects.ts`.
 */

import { spawnSync } from "node:child_process"

/** What the server does with a connection. `work` is a `text` that takes its time. */
export type Service = "echo" | "sink" | "source" | "lines" | "u32" | "rpc" | "text" | "work" | "upload"
/** `h2` is HTTP/2 in the clear, `upgraded` a WebSocket whose server is one of HTTP. */
export type Transport = "tcp" | "unix" | "tls" | "ws" | "http" | "h2" | "upgraded"
export type Group =
  | "messages"
  | "connections"
  | "bulk"
  | "coming and going"
  | "closing"
  | "framing"
  | "TLS"
  | "closing TLS"
  | "WebSocket"
  | "closing WebSocket"
  | "RPC"
  | "HTTP"
  | "closing HTTP"
  | "HTTP/2"
  | "closing HTTP/2"
  | "upgraded"
  | "closing upgraded"
  | "simulation"
/** The figure that a row compares. */
export type Figure = "operations" | "bytes" | "memory" | "closing" | "simulated"

export interface Row {
  readonly id: string
  readonly group: Group
  readonly title: string
  readonly service: Service
  readonly transport: Transport
  readonly mode: "ping" | "up" | "down" | "both" | "churn" | "hold"
  readonly figure: Figure
  readonly connections: number
  readonly size: number
  readonly depth: number
  /** For rows that hold connections: who ends them, and how many of a hundred are busy meanwhile. */
  readonly begins?: "clients" | "server"
  readonly busyPercent?: number
  /** How long they are held before they end, and how long their end may take: who is open then is counted. */
  readonly holdSeconds?: number
  readonly patienceSeconds?: number
  /** How much longer its samples are than others', where much has to happen until they are like each other. */
  readonly times?: number
  /** How long a server is warmed up, where V8 takes longer to compile what runs often. */
  readonly warmSeconds?: number
  /** What whoever reads its figures has to know. */
  readonly note?: string
}

/** How many a process may open; Node and the load generator raise their own limit to it. */
const descriptors = (): number => {
  const limit = Number(spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout)
  return limit > 0 ? limit : Number.POSITIVE_INFINITY
}

const grouped = (figure: number): string => figure.toLocaleString("en-US")
const bytes = (size: number): string => (size >= 1024 ? `${size / 1024} KiB` : `${size} B`)
const inFlight = (depth: number): string => (depth === 1 ? "one at a time" : `${depth} deep`)

const ping = (group: Group, size: number, connections: number, more: Partial<Row> = {}): Row => ({
  id: `ping-${size}-${connections}`,
  group,
  title: `ping-pong ${bytes(size)}, ${grouped(connections)} connections`,
  service: "echo",
  transport: "tcp",
  mode: "ping",
  figure: "operations",
  connections,
  size,
  depth: 1,
  ...more
})
const pipelined = ping("messages", 64, 100, {
  id: "pipelined",
  title: "pipelined 16 deep, 64 B, 100 connections",
  depth: 16
})
const bulk = (mode: "up" | "down" | "both", service: Service, title: string): Row => ({
  ...ping("bulk", 65536, 8),
  id: `bulk-${mode}`,
  title,
  service,
  mode,
  figure: "bytes"
})
const churn = (atATime: number): Row => ({
  ...ping("coming and going", 64, atATime),
  id: "churn",
  title: `connect, one request, close; ${atATime} at a time`,
  mode: "churn",
  warmSeconds: 3
})
const hold = (id: string, title: string, figure: Figure, connections: number, more: Partial<Row> = {}): Row => ({
  ...ping("closing", 64, connections),
  id,
  title,
  mode: "hold",
  figure,
  ...more
})
const idle = (connections: number): Row =>
  hold("idle-memory", `memory of an idle connection, of ${grouped(connections)}`, "memory", connections)
const drain = (connections: number): Row =>
  hold("drain", `a drain of ${grouped(connections)} connections, a tenth of them busy`, "closing", connections, {
    begins: "server",
    busyPercent: 10
  })
const framed = (service: "lines" | "u32", size: number, depth: number): Row =>
  ping("framing", size, 100, {
    id: `${service}-${size}-${depth}`,
    title: `${service === "u32" ? "length-prefixed" : "lines"} ${bytes(size)}, ${inFlight(depth)}`,
    service,
    depth
  })
const calls = (transport: "tcp" | "ws", depth: number): Row =>
  ping("RPC", 64, 100, {
    id: `rpc-${transport}-64-${depth}`,
    title: `RPC over ${transport === "tcp" ? "TCP" : "WebSocket"}, calls of 64 B, ${inFlight(depth)}`,
    service: "rpc",
    transport,
    depth
  })

/** The same work on another transport; in the same group, unless told. */
const over = (transport: Transport, name: string, row: Row, group: Group = row.group): Row => ({
  ...row,
  id: `${transport}-${row.id}`,
  title: `${name}, ${row.title}`,
  transport,
  group
})
const unix = (row: Row): Row => over("unix", "Unix socket", row)
const webSocket = (row: Row): Row =>
  over("ws", "WebSocket", row, row.mode === "hold" ? "closing WebSocket" : "WebSocket")
const nodesGenerator = (protocol: string): string =>
  `the load generator of ${protocol} is Node's, and its work is that of a server: where it is busy, what the server's ` +
  "processor takes says more than the rate"
/** A client of Node's, because one in C would need a library's headers. */
const tls = (row: Row): Row => ({
  ...over("tls", "TLS", row, row.mode === "hold" ? "closing TLS" : "TLS"),
  note: nodesGenerator("TLS")
})

/**
 * More than `keepAliveGrace`, for which Finwait keeps a connection that was answered a moment ago: those who are idle at
 * the announcement have been for longer. Some servers never end who keeps asking, so that there is a limit.
 */
const announced = { holdSeconds: 1.5, patienceSeconds: 5 }
const http = (row: Row): Row => ({
  ...over("http", "HTTP/1.1", row, row.mode === "hold" ? "closing HTTP" : "HTTP"),
  service: "text"
})
const httpDrain = (connections: number): Row => ({
  ...http(drain(connections)),
  ...announced,
  note:
    "the idle have been so for more than the second that Finwait keeps those who were just answered (keepAliveGrace); who " +
    "cuts those whose request is on its way is quick; a 503 is no answer; who is open after 5 s is no longer waited for"
})
/** The same, where who is busy is so in the server, and not on the way to it. */
const httpDrainAtWork = (connections: number): Row => ({
  ...httpDrain(connections),
  id: "http-drain-work",
  title: `HTTP/1.1, a drain of ${grouped(connections)} connections, a tenth of them awaiting answers that take 0.2 s`,
  service: "work"
})
/** The same, when the idle were answered a moment ago: what the grace costs. */
const httpDrainAtOnce = (connections: number): Row => ({
  ...httpDrain(connections),
  id: "http-drain-fresh",
  title: `HTTP/1.1, a drain of ${grouped(connections)} connections that were just answered, a tenth of them busy`,
  holdSeconds: 0.1,
  note:
    "Finwait keeps who was just answered for the rest of a second (keepAliveGrace), because the next request may be on its " +
    "way: that is its figure here, and by design"
})
const http2 = (row: Row): Row => ({
  ...over("h2", "HTTP/2", row, row.mode === "hold" ? "closing HTTP/2" : "HTTP/2"),
  service: "text",
  note: nodesGenerator("HTTP/2")
})
const upgraded = (row: Row): Row =>
  over("upgraded", "WebSocket by upgrade", row, row.mode === "hold" ? "closing upgraded" : "upgraded")

export const rows: ReadonlyArray<Row> = [
  ping("messages", 64, 100),
  ping("messages", 1024, 100),
  ping("messages", 65536, 100),
  pipelined,
  unix(ping("messages", 64, 100)),
  unix(ping("messages", 65536, 100)),
  ping("connections", 64, 10),
  ping("connections", 64, 1000),
  ping("connections", 64, 10_000, { times: 3 }),
  // Both sides need a descriptor for each: where the limit is lower, as many as it allows.
  ping("connections", 64, Math.min(20_000, descriptors() - 1000), { id: "ping-64-most", times: 3 }),
  bulk("up", "sink", "upload, 8 connections"),
  bulk("down", "source", "download, 8 connections"),
  bulk("both", "echo", "both ways at once, 8 connections"),
  churn(100),
  idle(10_000),
  hold("storm-clients", "10,000 closes begun by clients", "closing", 10_000, { begins: "clients" }),
  hold("storm-server", "10,000 closes begun by the server", "closing", 10_000, { begins: "server" }),
  drain(10_000),
  framed("lines", 64, 1),
  framed("lines", 64, 16),
  framed("u32", 64, 1),
  framed("u32", 64, 16),
  framed("u32", 1024, 16),
  tls(ping("messages", 64, 100)),
  tls(ping("messages", 65536, 20)),
  tls(churn(20)),
  tls(idle(2000)),
  tls(drain(2000)),
  webSocket(ping("messages", 64, 100)),
  webSocket(ping("messages", 65536, 100)),
  webSocket(pipelined),
  webSocket(churn(100)),
  webSocket(idle(5000)),
  webSocket(drain(5000)),
  calls("tcp", 1),
  calls("tcp", 16),
  calls("ws", 1),
  calls("ws", 16),
  http(ping("messages", 64, 100)),
  http(ping("messages", 65536, 100)),
  {
    ...http(ping("messages", 65536, 100)),
    id: "http-upload",
    title: "HTTP/1.1, uploads of 64 KiB, 100 connections",
    service: "upload"
  },
  http(pipelined),
  http(churn(100)),
  http(idle(10_000)),
  httpDrain(10_000),
  httpDrainAtWork(2000),
  httpDrainAtOnce(2000),
  http2(ping("messages", 64, 20, { title: "ping-pong 64 B, 20 connections, 10 streams at a time", depth: 10 })),
  { ...http2(drain(1000)), ...announced },
  upgraded(ping("messages", 64, 100)),
  { ...upgraded(drain(5000)), ...announced },
  {
    ...ping("simulation", 0, 0),
    id: "simulated",
    title: "closes on the simulated network, one core",
    figure: "simulated"
  }
]

export const rowOf = (id: string): Row => {
  const row = rows.find((row) => row.id === id)
  if (row === undefined) throw new Error(`no row is called ${id}`)
  return row
}

/** Whether less of the row's figure is better. */
export const lessIsBetter = ({ figure }: Row): boolean => figure === "memory" || figure === "closing"

/** Whether its load generator is Node's, with a compiler or without. */
export const needsNodesGenerator = ({ transport }: Row): boolean => transport === "tls" || transport === "h2"

/** Whether each sample needs a server that has served nobody before. */
export const needsFreshServer = ({ mode }: Row): boolean => mode === "hold"
