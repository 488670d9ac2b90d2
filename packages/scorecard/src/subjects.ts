/** The servers that are played on, and what each is spoken to over. */
import { existsSync } from "node:fs"
import { type HttpWireName, httpWireNames, type Wire, wireNames, wires } from "./clients/wires.ts"

/** The same program twice: on Effect's own server, and on what Finwait has in its place. */
export const pairs: Readonly<
  Record<(typeof wireNames)[number], { readonly effect: string; readonly finwait: string }>
> = {
  "socket-tcp": { effect: "effect", finwait: "finwait-socket" },
  "socket-tls": { effect: "effect-tls", finwait: "finwait-tls" },
  "socket-websocket": { effect: "effect-websocket", finwait: "finwait-websocket" },
  "rpc-tcp": { effect: "effect-rpc", finwait: "finwait-rpc" },
  "rpc-websocket": { effect: "effect-rpc-websocket", finwait: "finwait-rpc-websocket" }
}

/** The same over HTTP: through Effect's router and without it on Finwait, and on what else there is for servers of HTTP. */
export const httpSubjects: Readonly<
  Record<HttpWireName, { readonly finwait: ReadonlyArray<string>; readonly others: ReadonlyArray<string> }>
> = {
  http1: {
    finwait: ["finwait-http", "finwait-http-app"],
    others: ["effect-http", "node-http", "node-http-terminator", "node-stoppable", "node-terminus", "fastify"]
  },
  http2: { finwait: ["finwait-http2", "finwait-http2-app"], others: ["effect-http2"] },
  "http-websocket": {
    finwait: ["finwait-http-websocket", "finwait-http-websocket-app"],
    others: ["effect-http-websocket"]
  }
}

export const subjectFile = (subject: string): URL => new URL(`subjects/${subject}.ts`, import.meta.url)
export const subjectExists = (subject: string): boolean => existsSync(subjectFile(subject))

/** Those that are in no list, Finwait's own `Server` and plain `node:net`, speak lines over TCP. */
export const wireOf = (subject: string): Wire =>
  wires[
    wireNames.find((name) => Object.values(pairs[name]).includes(subject)) ??
      httpWireNames.find((name) => Object.values(httpSubjects[name]).flat().includes(subject)) ??
      "socket-tcp"
  ]
