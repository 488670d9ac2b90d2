/** What the tests of TLS share: the network, and peers on `node:tls` alone. */
import * as NodeTls from "@finwait/node/NodeTls"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type { Connection } from "finwait/Connection"
import type { Network } from "finwait/Network"
import type * as net from "node:net"
import * as tls from "node:tls"
import * as Redacted from "effect/Redacted"
import { ca, identity } from "./certificates.ts"
import { until } from "./network.ts"

export const versions = ["TLSv1.2", "TLSv1.3"] as const

export type Version = (typeof versions)[number]

/** One version and no other. */
export const only = (version: Version) => ({ minVersion: version, maxVersion: version })

/** A server with a certificate, and a client that trusts it. */
export const options = (version?: Version, more: Partial<NodeTls.Options> = {}): NodeTls.Options => ({
  server: { identity: identity("server"), ...(version === undefined ? {} : only(version)) },
  client: { ca, ...(version === undefined ? {} : only(version)) },
  ...more
})

/** Runs on TLS, quietly, in a scope of its own. */
export const onTls = <A, E>(
  program: Effect.Effect<A, E, Network | Scope.Scope>,
  chosen: NodeTls.Options = options()
): Effect.Effect<A, E> =>
  program.pipe(Effect.scoped, Effect.provide(Layer.merge(NodeTls.layer(chosen), Logger.layer([]))))

/**
 * What a peer of this Node may hear of a reset that comes behind bytes which it has not read: before 26 it takes it for an
 * end.
 */
export const heardOfReset: ReadonlyArray<string | undefined> =
  Number(process.versions.node.split(".")[0]) < 26 ? ["ECONNRESET", "end", "FIN"] : ["ECONNRESET"]

/** The beginning of a ClientHello, of which 16 KiB are announced. */
export const halfHello = Buffer.concat([Buffer.from("160301400001003ffc0303", "hex"), Buffer.alloc(100)])

const pem = (name: "server" | "other" | "client") => {
  const { cert, key } = identity(name)
  return { cert: cert as string, key: Redacted.value(key) as string }
}

/** A side on `node:tls`, with what it has heard. Half-open: it ends when it is told to. */
export class Peer {
  readonly socket: tls.TLSSocket
  text = ""
  bytes = 0
  /** `end`, or the code of what broke it. */
  ending: string | undefined

  constructor(socket: tls.TLSSocket, answers: boolean) {
    this.socket = socket
    socket.on("data", (chunk) => {
      this.bytes += chunk.length
      if (this.bytes < 1_000_000) this.text += chunk.toString()
    })
    socket.on("end", () => {
      this.ending ??= "end"
      if (answers) socket.end()
    })
    socket.on("error", (error: NodeJS.ErrnoException) => (this.ending ??= error.code ?? error.message))
    socket.on("close", () => (this.ending ??= "close"))
  }

  hears(text: string) {
    return until(() => this.text.includes(text), `"${text}" is heard; ${this.text}, ${this.ending}`)
  }

  get ended(): Effect.Effect<string> {
    return Effect.map(
      until(() => this.ending !== undefined, "the connection ends"),
      () => this.ending!
    )
  }

  send(bytes: string | Uint8Array) {
    return Effect.callback<void>((resume) => {
      this.socket.write(bytes, () => resume(Effect.void))
    })
  }
}

const whereOf = (url: string): tls.ConnectionOptions => {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}

/** A client on `node:tls`, whose handshake is done or has failed; destroyed at the end of the scope. */
export const tlsClient = (url: string, more: tls.ConnectionOptions & { readonly answers?: boolean } = {}) =>
  Effect.acquireRelease(
    Effect.callback<Peer>((resume) => {
      // Of Node's, which its types do not know here.
      const halfOpen = { allowHalfOpen: true } as tls.ConnectionOptions
      const socket = tls.connect({ ca, ...halfOpen, ...whereOf(url), ...more })
      const peer = new Peer(socket, more.answers !== false)
      const settled = () => resume(Effect.succeed(peer))
      socket.once("secureConnect", settled).once("close", settled)
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

export interface TlsListener {
  readonly url: string
  readonly next: Effect.Effect<Peer>
}

/** A server on `node:tls`, whose peers do what the test tells them. */
export const tlsListener = (
  more: tls.TlsOptions & { readonly answers?: boolean } = {}
): Effect.Effect<TlsListener, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<TlsListener & { readonly close: () => void }>((resume) => {
        const all: Array<net.Socket> = []
        const peers: Array<Peer> = []
        const server = tls.createServer({ ...pem("server"), allowHalfOpen: true, ...more }, (socket) =>
          peers.push(new Peer(socket, more.answers !== false))
        )
        server.on("connection", (socket) => all.push(socket))
        server.on("tlsClientError", (_, socket) => socket.destroy())
        const next = Effect.map(
          until(() => peers.length > 0, "a client has come"),
          () => peers.shift()!
        )
        const close = () => {
          server.close()
          for (const socket of all) socket.destroy()
        }
        server.listen({ host: "127.0.0.1", port: 0 }, () => {
          const url = `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`
          resume(Effect.succeed({ url, next, close }))
        })
      }),
      ({ close }) => Effect.sync(close)
    ),
    ({ next, url }) => ({ next, url })
  )

/** A handler that gives its connection away, and keeps it until it is told that there is nothing more to do. */
export const givenAway = () => {
  const connections: Array<Connection> = []
  const done: Array<() => void> = []
  const handler = (connection: Connection) =>
    Effect.callback<void>((resume) => {
      connections.push(connection)
      done.push(() => resume(Effect.void))
    })
  const next = Effect.map(
    until(() => connections.length > 0, "a connection is served"),
    () => ({ connection: connections.shift()!, leave: done.shift()! })
  )
  return { handler, next }
}
