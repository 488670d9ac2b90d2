/**
 * Where a server's time goes: a profile of V8's, added up by whose code it is.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Native } from "./native.ts"
import * as Processes from "./processes.ts"
import type { Row } from "./rows.ts"
import { type Subject, subjectsOf } from "./subjects.ts"

/** Whose code it is. `system`: Node in C++ and the system calls that it makes. */
export type Owner = "system" | "garbage" | "node" | "ws" | "fastify" | "effect" | "finwait" | "handler"

export const owners: ReadonlyArray<readonly [owner: Owner, title: string]> = [
  ["system", "system calls and Node's C++"],
  ["node", "Node's JavaScript"],
  ["garbage", "garbage collection"],
  ["ws", "ws"],
  ["fastify", "fastify and what it is made of"],
  ["effect", "Effect"],
  ["finwait", "Finwait"],
  ["handler", "the handler"]
]

export interface Profile {
  readonly row: string
  readonly subject: string
  /** Microseconds of the server's, for an operation. */
  readonly micros: Readonly<Record<Owner, number>>
  /** The functions that took most, themselves. */
  readonly functions: ReadonlyArray<{ readonly name: string; readonly micros: number }>
}

interface Raw {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

const ownerOf = ({ functionName, url }: Raw["nodes"][number]["callFrame"]): Owner | undefined => {
  if (functionName === "(idle)" || functionName === "(root)") return undefined
  if (functionName === "(garbage collector)") return "garbage"
  if (url === "") return "system"
  if (url.startsWith("node:")) return "node"
  if (/\/node_modules\/(?:effect|@effect)\//.test(url)) return "effect"
  if (/\/node_modules\/ws\//.test(url)) return "ws"
  if (/\/node_modules\//.test(url)) return "fastify"
  return /\/packages\/(?:finwait|node)\//.test(url) ? "finwait" : "handler"
}

const intervalMicros = 100
const listed = 8

/** Of the last part of a run only: before it V8 has still compiled. */
export const addUp = (raw: Raw, lastSeconds: number, operations: number): Pick<Profile, "micros" | "functions"> => {
  const frames = new Map(raw.nodes.map(({ callFrame, id }) => [id, callFrame]))
  const all = raw.timeDeltas.reduce((sum, delta) => sum + delta, 0)
  const micros: Record<Owner, number> = {
    system: 0,
    garbage: 0,
    node: 0,
    ws: 0,
    fastify: 0,
    effect: 0,
    finwait: 0,
    handler: 0
  }
  const functions = new Map<string, number>()
  let at = 0
  for (const [index, id] of raw.samples.entries()) {
    const delta = raw.timeDeltas[index]!
    at += delta
    const frame = frames.get(id)!
    const owner = ownerOf(frame)
    if (owner === undefined || at < all - lastSeconds * 1e6) continue
    micros[owner] += delta / operations
    const file = frame.url.split("/").at(-1)!
    const name = file === "" ? frame.functionName : `${frame.functionName || "(anonymous)"} (${file})`
    functions.set(name, (functions.get(name) ?? 0) + delta / operations)
  }
  const most = [...functions].toSorted(([, one], [, other]) => other - one).slice(0, listed)
  return { micros, functions: most.map(([name, micros]) => ({ name, micros })) }
}

/** What is done while it is looked at, and for how long: the work of a row, or the end of its connections. */
const work = async (
  server: Processes.Server,
  row: Row,
  native: Native | undefined,
  seconds: number
): Promise<{ readonly operations: number; readonly seconds: number }> => {
  if (row.mode === "hold") {
    const { closed } = await Processes.hold(server, row, native)
    // What the generator waits for at the end is idle time, which is not counted.
    return { operations: row.connections, seconds: (closed?.seconds ?? 0) + 1 }
  }
  await Processes.load(server, row, native, 2 * seconds)
  const { ops } = await Processes.load(server, row, native, seconds)
  return { operations: ops, seconds }
}

/** A server's profile while it does a row's work. */
export const profile = async (
  subject: Subject,
  row: Row,
  native: Native | undefined,
  seconds: number
): Promise<Profile> => {
  const folder = mkdtempSync(join(tmpdir(), "finwait-bench-"))
  const flags = ["--cpu-prof", `--cpu-prof-interval=${intervalMicros}`, `--cpu-prof-dir=${folder}`]
  const server = await Processes.Server.start({ ...subject, flags }, row, native)
  try {
    const worked = await work(server, row, native, seconds)
    await server.end()
    const [file = ""] = readdirSync(folder)
    const raw = JSON.parse(readFileSync(join(folder, file), "utf8")) as Raw
    return { row: row.id, subject: subject.id, ...addUp(raw, worked.seconds, worked.operations) }
  } finally {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Whether a row's work can be counted in operations, or in connections that end. */
export const canProfile = ({ begins, figure, mode }: Row): boolean =>
  figure === "operations" || (mode === "hold" && begins !== undefined)

/** Whom it helps to look at: bare sockets, and beside them whoever does more. */
const looked = new Set([
  "raw",
  "tls",
  "ws",
  "http",
  "http2",
  "upgraded",
  "fastify",
  "effect-rpc",
  "effect-pull",
  "finwait-pull",
  "finwait-each",
  "finwait-framing",
  "finwait-trusting",
  "finwait-drop-in",
  "finwait-rpc",
  "finwait-rpc-drain",
  "effect-http",
  "effect-router",
  "finwait-http",
  "finwait-router"
])

/** The profiles of a row, of those who do its work. */
export const profiles = async (
  row: Row,
  only: ReadonlyArray<string> | undefined,
  native: Native | undefined,
  progress: (text: string) => void,
  seconds = 3
): Promise<ReadonlyArray<Profile>> => {
  const done: Array<Profile> = []
  for (const subject of subjectsOf(row, false, only).filter(({ id }) => looked.has(id))) {
    progress(`${row.title}: profile of ${subject.title}`)
    done.push(await profile(subject, row, native, seconds))
  }
  return done
}
