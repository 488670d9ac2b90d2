/** One behaviour of an HTTP server, and what is expected of it. */
import type { Effect, Scope } from "effect"
import type { Expected } from "../contract/Row.ts"
import type { Protocol, World } from "./world.ts"

export interface Row {
  /** A sentence about a server, or about what it is asked. */
  readonly what: string
  readonly over: ReadonlyArray<Protocol>
  readonly see: (world: World) => Effect.Effect<unknown, unknown, Scope.Scope>
  readonly expected: (protocol: Protocol) => Expected
}

export const all: ReadonlyArray<Protocol> = ["http", "https", "h2c", "h2"]
export const http1: ReadonlyArray<Protocol> = ["http", "https"]
export const http2: ReadonlyArray<Protocol> = ["h2c", "h2"]
