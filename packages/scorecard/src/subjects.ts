/** The servers that are played on, and what each is spoken to over. */
import { existsSync } from "node:fs"
import { type Wire, type WireName, wireNames, wires } from "./clients/wires.ts"

/** The same program twice: on Effect's own server, and on what Finwait has in its place. */
export const pairs: Readonly<Record<WireName, { readonly effect: string; readonly finwait: string }>> = {
  "socket-tcp": { effect: "effect", finwait: "finwait-socket" },
  "socket-tls": { effect: "effect-tls", finwait: "finwait-tls" },
  "socket-websocket": { effect: "effect-websocket", finwait: "finwait-websocket" },
  "rpc-tcp": { effect: "effect-rpc", finwait: "finwait-rpc" },
  "rpc-websocket": { effect: "effect-rpc-websocket", finwait: "finwait-rpc-websocket" }
}

export const subjectFile = (subject: string): URL => new URL(`subjects/${subject}.ts`, import.meta.url)
export const subjectExists = (subject: string): boolean => existsSync(subjectFile(subject))

/** Those that are in no pair, Finwait's own `Server` and plain `node:net`, speak lines over TCP. */
export const wireOf = (subject: string): Wire =>
  wires[wireNames.find((name) => Object.values(pairs[name]).includes(subject)) ?? "socket-tcp"]
