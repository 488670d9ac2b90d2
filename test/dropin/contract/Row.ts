/** One behaviour, and what is expected of it. */
import type { Effect, Scope } from "effect"
import type { Transport, World } from "./world.ts"

/** What both do; or what each does, and why they differ on purpose. */
export type Expected =
  | { readonly both: unknown }
  | { readonly effect: unknown; readonly finwait: unknown; readonly because: string }

export interface Row {
  /** A sentence about a socket, or a server. */
  readonly what: string
  readonly over: ReadonlyArray<Transport>
  readonly see: (world: World) => Effect.Effect<unknown, unknown, Scope.Scope>
  readonly expected: (transport: Transport) => Expected
}

export const byteStreams: ReadonlyArray<Transport> = ["tcp", "unix", "tls"]
export const all: ReadonlyArray<Transport> = [...byteStreams, "websocket"]

export const both = (value: unknown) => (): Expected => ({ both: value })

export const differ = (because: string, effect: unknown, finwait: unknown) => (): Expected => ({
  effect,
  finwait,
  because
})

/** What is seen from both ends, when it is the same. */
export const alike = <A>(value: A) => ({ client: value, server: value })
