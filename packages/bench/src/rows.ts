/**
 * What is measured: one row per kind of work. A transport that comes later adds its rows here and its servers to
 * `subjects.ts`.
 */

import { spawnSync } from "node:child_process"

/** What the server does with a connection. */
export type Service = "echo" | "sink" | "source" | "lines" | "u32"
export type Group = "messages" | "connections" | "bulk" | "coming and going" | "closing" | "framing" | "simulation"
/** The figure that a row compares. */
export type Figure = "operations" | "bytes" | "memory" | "closing" | "simulated"

export interface Row {
  readonly id: string
  readonly group: Group
  readonly title: string
  readonly service: Service
  readonly transport: "tcp" | "unix"
  readonly mode: "ping" | "up" | "down" | "both" | "churn" | "hold"
  readonly figure: Figure
  readonly connections: number
  readonly size: number
  readonly depth: number
  /** For rows that hold connections: who ends them, and how many of a hundred are busy meanwhile. */
  readonly begins?: "clients" | "server"
  readonly busyPercent?: number
  /** How much longer its samples are than others', where much has to happen until they are like each other. */
  readonly times?: number
  /** How long a server is warmed up, where V8 takes longer to compile what runs often. */
  readonly warmSeconds?: number
}

/** How many a process may open; Node and the load generator raise their own limit to it. */
const descriptors = (): number => {
  const limit = Number(spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout)
  return limit > 0 ? limit : Number.POSITIVE_INFINITY
}

const grouped = (figure: number): string => figure.toLocaleString("en-US")
const bytes = (size: number): string => (size >= 1024 ? `${size / 1024} KiB` : `${size} B`)

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
const bulk = (mode: "up" | "down" | "both", service: Service, title: string): Row => ({
  ...ping("bulk", 65536, 8),
  id: `bulk-${mode}`,
  title,
  service,
  mode,
  figure: "bytes"
})
const hold = (id: string, title: string, figure: Figure, more: Partial<Row> = {}): Row => ({
  ...ping("closing", 64, 10_000),
  id,
  title,
  mode: "hold",
  figure,
  ...more
})
const framed = (service: "lines" | "u32", size: number, depth: number): Row =>
  ping("framing", size, 100, {
    id: `${service}-${size}-${depth}`,
    title: `${service === "u32" ? "length-prefixed" : "lines"} ${bytes(size)}, ${depth === 1 ? "one at a time" : `${depth} deep`}`,
    service,
    depth
  })

export const rows: ReadonlyArray<Row> = [
  ping("messages", 64, 100),
  ping("messages", 1024, 100),
  ping("messages", 65536, 100),
  ping("messages", 64, 100, { id: "pipelined", title: "pipelined 16 deep, 64 B, 100 connections", depth: 16 }),
  ping("messages", 64, 100, {
    id: "unix-ping-64-100",
    title: "Unix socket, ping-pong 64 B, 100 connections",
    transport: "unix"
  }),
  ping("messages", 65536, 100, {
    id: "unix-ping-65536-100",
    title: "Unix socket, ping-pong 64 KiB, 100 connections",
    transport: "unix"
  }),
  ping("connections", 64, 10),
  ping("connections", 64, 1000),
  ping("connections", 64, 10_000, { times: 3 }),
  // Both sides need a descriptor for each: where the limit is lower, as many as it allows.
  ping("connections", 64, Math.min(20_000, descriptors() - 1000), { id: "ping-64-most", times: 3 }),
  bulk("up", "sink", "upload, 8 connections"),
  bulk("down", "source", "download, 8 connections"),
  bulk("both", "echo", "both ways at once, 8 connections"),
  {
    ...ping("coming and going", 64, 100),
    id: "churn",
    title: "connect, one request, close; 100 at a time",
    mode: "churn",
    warmSeconds: 3
  },
  hold("idle-memory", "memory of an idle connection, of 10,000", "memory"),
  hold("storm-clients", "10,000 closes begun by clients", "closing", { begins: "clients" }),
  hold("storm-server", "10,000 closes begun by the server", "closing", { begins: "server" }),
  hold("drain", "a drain of 10,000 connections, a tenth of them busy", "closing", {
    begins: "server",
    busyPercent: 10
  }),
  framed("lines", 64, 1),
  framed("lines", 64, 16),
  framed("u32", 64, 1),
  framed("u32", 64, 16),
  framed("u32", 1024, 16),
  {
    ...ping("simulation", 0, 0),
    id: "simulated",
    title: "closes on the simulated network, one core",
    figure: "simulated"
  }
]

/** Whether less of the row's figure is better. */
export const lessIsBetter = ({ figure }: Row): boolean => figure === "memory" || figure === "closing"

/** Whether each sample needs a server that has served nobody before. */
export const needsFreshServer = ({ mode }: Row): boolean => mode === "hold"
