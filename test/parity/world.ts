/**
 * The four networks that scenarios run on: the simulated one and the operating system's, each over TCP and over Unix
 * sockets. A scenario sees a `Network` and where to listen, and cannot tell which of them it is on.
 */
import { provider } from "@finwait/node/NodeNetwork"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Network from "finwait/Network"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export type Kind = "Tcp" | "Unix"

export interface World {
  readonly name: string
  readonly kind: Kind
  readonly network: Network.Network["Service"]
  /** Where to listen: a new address at every call. */
  readonly address: () => string
}

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "finwait-parity-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Both are given the very same addresses, but for the port, which the system chooses. */
const addresses = (kind: Kind, path: string) => {
  let next = 0
  return () => (kind === "Tcp" ? "tcp://127.0.0.1:0" : `unix://${path}/${next++}.sock`)
}

export const simulated = (kind: Kind): Effect.Effect<World, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sim = yield* SimNetwork.make()
    const path = yield* folder
    return { name: `simulated ${kind}`, kind, network: sim.network, address: addresses(kind, path) }
  })

export const real = (kind: Kind): Effect.Effect<World, never, Scope.Scope> =>
  Effect.gen(function* () {
    const path = yield* folder
    return { name: `real ${kind}`, kind, network: Network.make(provider()), address: addresses(kind, path) }
  })
