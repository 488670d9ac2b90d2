/**
 * TLS as a network: every connection that is dialled or accepted speaks TLS 1.2 or 1.3, over TCP or Unix sockets.
 *
 * ```ts no-run
 * import * as NodeProcess from "@finwait/node/NodeProcess"
 * import * as NodeTls from "@finwait/node/NodeTls"
 * import * as Layer from "effect/Layer"
 * import * as Server from "finwait/Server"
 *
 * const echo = Server.layer({
 *   listen: "tcp://0.0.0.0:7443",
 *   handler: (connection) => connection.each((chunk) => connection.write(chunk))
 * })
 *
 * const tls = NodeTls.layer({
 *   server: { identity: NodeTls.fromFiles({ key: "/etc/tls/tls.key", cert: "/etc/tls/tls.crt" }) }
 * })
 *
 * NodeProcess.runMain(Layer.launch(echo.pipe(Layer.provide(tls))))
 * ```
 *
 * **The close** is the same as everywhere, in TLS's words: close_notify, then FIN, then reading until the peer's. Each
 * direction ends by itself, over 1.2 as over 1.3 (RFC 8446, 6.1), and what a peer still sends is read. A reset is TCP's.
 *
 * **A truncated stream.** FIN is not protected, close_notify is: an end without it may be anybody's. See
 * {@link Options.truncation}.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Address from "finwait/Address"
import type { Connection } from "finwait/Connection"
import * as Network from "finwait/Network"
import { type NetworkError, type Reason, SystemFailure } from "finwait/NetworkError"
import * as Transport from "finwait/Transport"
import { Buffer } from "node:buffer"
import * as Tls from "node:tls"
import { thenUpgraded } from "./internal/dial.ts"
import { failure } from "./internal/failures.ts"
import { type HandshakeLimits, handshakeLimits, type HandshakeOptions } from "./internal/handshakes.ts"
import { wordOf } from "./internal/options.ts"
import { type Truncation, truncations } from "./internal/secured.ts"
import { named, shakeHands } from "./internal/tlsDial.ts"
import { type Pair, pairsIn } from "./internal/tlsFiles.ts"
import { checkIdentity } from "./internal/tlsIdentity.ts"
import { speakingTls, tlsServer } from "./internal/tlsListen.ts"
import { NodeTransport } from "./internal/transport.ts"
import * as NodeNetwork from "./NodeNetwork.ts"

/**
 * Who one is: a private key, and the certificate for it with those that lead to a root. In PEM.
 *
 * @category models
 * @since 0.1.0
 */
export interface Identity {
  readonly key: Redacted.Redacted<string | Uint8Array>
  readonly cert: string | Uint8Array
  /** Of the key, when it is encrypted. */
  readonly passphrase?: Redacted.Redacted<string> | undefined
}

/** Versions of the protocol. */
interface Versions {
  /** The oldest version that is spoken. Default `TLSv1.2`, Node's own. */
  readonly minVersion?: Tls.SecureVersion | undefined
  /** The newest. Default `TLSv1.3`. */
  readonly maxVersion?: Tls.SecureVersion | undefined
  /** Application protocols, the best first (ALPN). Default: none are spoken of. */
  readonly alpnProtocols?: ReadonlyArray<string> | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ServerOptions extends Versions {
  /**
   * The certificate, or a stream of them: with the first one it begins to listen, and each that follows takes the place
   * of the one before for handshakes that begin then; connections that are there stay as they are. One that cannot be
   * used is told as a warning, and the one before stays. See {@link fromFiles}.
   */
  readonly identity: Identity | Stream.Stream<Identity, unknown>
  /** Others, by the name that a client asks for (SNI). Default: everybody gets `identity`. */
  readonly identities?: Readonly<Record<string, Identity>> | undefined
  /**
   * `require`: a client without a certificate that `ca` has signed is turned away in the handshake. `request`: it is asked
   * for one, and let in without; see {@link session}. Default `none`.
   */
  readonly clientCertificates?: "none" | "request" | "require" | undefined
  /** Who may sign clients' certificates, in PEM. Default: whom Node trusts. */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array> | undefined
  /** More options of Node's, over the ones above. */
  readonly node?: Tls.TlsOptions | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ClientOptions extends Versions {
  /** The name that is asked for and that the certificate must have. Default: the host that is dialled. */
  readonly servername?: string | undefined
  /** Whom to trust, in PEM. Default: whom Node trusts. */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array> | undefined
  /** For servers that ask for one. Default: none. */
  readonly identity?: Identity | undefined
  /** `false` takes any certificate: nobody is known to be who he says. Default `true`. */
  readonly verify?: boolean | undefined
  /** More options of Node's, over the ones above. */
  readonly node?: Tls.ConnectionOptions | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options extends HandshakeOptions {
  /** For who listens; needed then. */
  readonly server?: ServerOptions | undefined
  /** For who dials. */
  readonly client?: ClientOptions | undefined
  /**
   * What a stream is that ends with FIN and without close_notify: somebody on the way may have truncated it.
   *
   * `framed` (default): who reads messages (`Framing`) fails with `Truncated`, at a message boundary as well; who reads
   * chunks sees an end. `error`: the connection is broken, `ERR_TLS_TRUNCATED`, for all. `end`: an end like any other, for
   * peers that are known to hang up so. To know the difference costs some of the speed of small messages, which `end`
   * does not; docs/performance.md has the figures.
   */
  readonly truncation?: "framed" | "error" | "end" | undefined
}

const defaultTruncation: Truncation = "framed"

const pem = (identity: Identity | undefined): Tls.SecureContextOptions =>
  identity === undefined
    ? {}
    : {
        key: bytesOf(Redacted.value(identity.key)),
        cert: bytesOf(identity.cert),
        ...(identity.passphrase === undefined ? {} : { passphrase: Redacted.value(identity.passphrase) })
      }

/** Never text: Node takes an empty one for none at all, and would serve without a certificate. */
const bytesOf = (text: string | Uint8Array): Buffer => Buffer.from(text as string)

const caOf = (ca: ServerOptions["ca"]): Tls.SecureContextOptions => {
  if (ca === undefined) return {}
  return { ca: (Array.isArray(ca) ? ca : [ca]).map((one) => bytesOf(one as string | Uint8Array)) }
}

const versionsOf = ({ alpnProtocols, maxVersion, minVersion }: Versions) => ({
  ...(minVersion === undefined ? {} : { minVersion }),
  ...(maxVersion === undefined ? {} : { maxVersion }),
  ...(alpnProtocols === undefined ? {} : { ALPNProtocols: [...alpnProtocols] })
})

/** Node's and OpenSSL's words for what is wrong with a key or a certificate; never the key. */
const unusable = (error: unknown): Reason => {
  const { code, message } = error as NodeJS.ErrnoException
  return new SystemFailure({ code: code ?? "ERR_TLS_IDENTITY", detail: message })
}

const attempt = <A>(act: () => A): Effect.Effect<A, Reason> => Effect.try({ try: act, catch: unusable })

const withoutFirst = (error: unknown): string =>
  Cause.isDone(error)
    ? "the stream of identities has ended before its first"
    : `the stream of identities: ${String(error)}`

/** The certificate to begin with, and how to hear of others. */
const identities = Effect.fnUntraced(function* (
  identity: ServerOptions["identity"]
): Effect.fn.Return<
  { readonly first: Identity; readonly others: Pull.Pull<Identity, unknown> | undefined },
  Reason,
  Scope.Scope
> {
  if (!Stream.isStream(identity)) return { first: identity, others: undefined }
  // One by one: behind a good one there may be another that cannot be used, in the same chunk.
  const pull = yield* Stream.toPull(Stream.rechunk(identity, 1))
  const next = Effect.map(pull, ([one]) => one)
  const first = yield* Effect.mapError(next, (error) => {
    if (error instanceof SystemFailure) return error
    return unusable(error instanceof Error ? error : new Error(withoutFirst(error)))
  })
  return { first, others: next }
})

const serverOptions = (options: ServerOptions, identity: Identity): Tls.TlsOptions => {
  const { clientCertificates = "none" } = options
  return {
    ...versionsOf(options),
    ...caOf(options.ca),
    requestCert: clientCertificates !== "none",
    rejectUnauthorized: clientCertificates === "require",
    ...pem(identity),
    ...options.node
  }
}

const listen = Effect.fnUntraced(function* (
  base: Transport.Provider,
  options: ServerOptions,
  limits: HandshakeLimits,
  truncation: Truncation,
  address: Address.Address,
  listenOptions: Transport.ListenOptions
): Effect.fn.Return<Transport.Acceptor, NetworkError, Scope.Scope> {
  const failed = failure("listen", address)
  const { first, others } = yield* Effect.mapError(identities(options.identity), failed)
  const server = yield* Effect.mapError(
    attempt(() => {
      const server = tlsServer(serverOptions(options, first))
      for (const [name, identity] of Object.entries(options.identities ?? {})) {
        server.addContext(name, { ...versionsOf(options), ...caOf(options.ca), ...pem(identity) })
      }
      return server
    }),
    failed
  )
  if (others !== undefined) yield* Effect.forkScoped(replacing(server, options, others))
  return yield* speakingTls(yield* base.listen(address, listenOptions), server, limits, truncation)
})

/** Takes one certificate after the other, and goes on with the last that was good. */
const replacing = (
  server: Tls.Server,
  options: ServerOptions,
  others: Pull.Pull<Identity, unknown>
): Effect.Effect<void> =>
  Effect.forever(
    Effect.flatMap(others, (identity) =>
      attempt(() => {
        const next = serverOptions(options, identity)
        // To be refused here, before the server has taken half of it.
        checkIdentity(next)
        Tls.createSecureContext(next)
        server.setSecureContext(next)
      }).pipe(
        Effect.andThen(Effect.logInfo("TLS: the certificate was replaced")),
        Effect.catch((reason) => Effect.logWarning(`TLS: the new certificate cannot be used: ${reason.message}`))
      )
    )
  ).pipe(
    Effect.catchCause((cause) =>
      Pull.isDoneCause(cause)
        ? Effect.logDebug("TLS: no more certificates will come")
        : Effect.logWarning("TLS: the stream of certificates has failed, the last one stays", cause)
    ),
    Effect.asVoid
  )

const clientOptions = (options: ClientOptions, address: Address.Address): Tls.ConnectionOptions => ({
  ...versionsOf(options),
  ...caOf(options.ca),
  ...pem(options.identity),
  ...named(address),
  ...(options.servername === undefined ? {} : { servername: options.servername }),
  rejectUnauthorized: options.verify ?? true,
  ...options.node
})

const connect = (
  base: Transport.Provider,
  options: ClientOptions,
  limits: HandshakeLimits,
  truncation: Truncation,
  address: Address.Address,
  made: (transport: Transport.Transport) => void
): Effect.Effect<Transport.Transport, NetworkError> =>
  thenUpgraded(
    (raw) => base.connect(address, raw),
    (pipe) =>
      shakeHands(pipe as NodeTransport, clientOptions(options, address), truncation).pipe(
        Effect.tap((transport) => Effect.sync(() => made(transport))),
        Effect.timeoutOrElse({
          duration: Duration.millis(limits.timeoutMillis),
          orElse: () => {
            const detail = `no handshake within handshakeTimeout ${limits.timeoutMillis} ms`
            return Effect.fail<Reason>(new SystemFailure({ code: "ETIMEDOUT", detail }))
          }
        }),
        Effect.mapError(failure("connect", address))
      )
  )

/**
 * TLS as a provider, over sockets of Node's with the options of `base`.
 *
 * Besides what TCP and Unix sockets fail with, `NetworkError` has the reasons `HandshakeFailed` for who dials (its `code` is
 * Node's or OpenSSL's, as `DEPTH_ZERO_SELF_SIGNED_CERT`), and `SystemFailure` for who listens with a key or a certificate
 * that cannot be used.
 *
 * **Example** (One program that speaks TLS to one side and plain TCP to the other)
 *
 * ```ts no-run
 * import * as NodeNetwork from "@finwait/node/NodeNetwork"
 * import * as NodeTls from "@finwait/node/NodeTls"
 * import * as Effect from "effect/Effect"
 * import * as Network from "finwait/Network"
 *
 * const outside = Network.make(NodeTls.provider({ client: { minVersion: "TLSv1.3" } }))
 * const inside = Network.make(NodeNetwork.provider())
 *
 * const both = Effect.all([outside.connect("tcp://example.com:443"), inside.connect("unix:///run/app.sock")])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (options: Options, base: NodeNetwork.Options = {}): Transport.Provider => {
  const sockets = NodeNetwork.provider(base)
  const limits = handshakeLimits(options)
  const truncation = wordOf("NodeTls.Options.truncation", options.truncation ?? defaultTruncation, truncations)
  const { client = {}, server } = options
  return {
    connect: (address, made) => connect(sockets, client, limits, truncation, address, made),
    listen: (address, listenOptions) => {
      if (server !== undefined) return listen(sockets, server, limits, truncation, address, listenOptions)
      const detail = "NodeTls.Options.server is left out: a server needs a certificate"
      return Effect.fail(failure("listen", address)(new SystemFailure({ code: "ERR_TLS_IDENTITY", detail })))
    }
  }
}

/**
 * Provides the `Network` whose connections speak TLS; see {@link provider} for how dialling and listening fail.
 *
 * **Example**
 *
 * ```ts
 * import * as NodeTls from "@finwait/node/NodeTls"
 * import * as Effect from "effect/Effect"
 * import * as Network from "finwait/Network"
 *
 * const listening = Effect.scoped(Network.listen("tcp://127.0.0.1:0")).pipe(Effect.flip, Effect.provide(NodeTls.layer({})))
 * const { message } = await Effect.runPromise(listening)
 * console.log(message.slice(message.indexOf("Node"))) // => NodeTls.Options.server is left out: a server needs a certificate
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options, base: NodeNetwork.Options = {}): Layer.Layer<Network.Network> =>
  Layer.sync(Network.Network, () => Network.make(provider(options, base)))

/**
 * @category models
 * @since 0.1.0
 */
export interface Files {
  readonly key: string
  readonly cert: string
  readonly passphrase?: Redacted.Redacted<string> | undefined
  /**
   * How often to look whether they have changed. Default 1 minute, as the kubelet takes to renew a mounted secret:
   * certificates are renewed days before they end.
   */
  readonly interval?: Duration.Input | undefined
}

/**
 * The identity in two files, now and whenever they have changed. They are read again and compared, because a secret that
 * is mounted (Kubernetes) is replaced by a symlink of a folder above it, which no watch of the file notices. A key and a
 * certificate that do not belong together, as in the moment between the two writes, are left for the next look; when they
 * still do not then, that is told as a warning, and the ones before stay.
 *
 * Fails with `SystemFailure` when they cannot be read for the first time. Later that is told as a warning, and looked at
 * again.
 *
 * **Example**
 *
 * ```ts
 * import * as NodeTls from "@finwait/node/NodeTls"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const identities = NodeTls.fromFiles({ key: "/nowhere/tls.key", cert: "/nowhere/tls.crt" })
 * const error = await Effect.runPromise(Effect.flip(Stream.runDrain(identities)))
 * console.log(error.message) // => ENOENT: no such file or directory, open '/nowhere/tls.crt'
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromFiles = ({
  cert,
  interval = "1 minute",
  key,
  passphrase
}: Files): Stream.Stream<Identity, SystemFailure> => {
  const identityOf = (pair: Pair): Identity => ({ key: Redacted.make(pair.key), cert: pair.cert, passphrase })
  return Stream.map(
    pairsIn({ cert, key }, interval, (pair) => problemOf(identityOf(pair))),
    identityOf
  )
}

/** What is wrong with a key and a certificate, if anything is. */
const problemOf = (identity: Identity): string | undefined => {
  try {
    checkIdentity(pem(identity))
    Tls.createSecureContext(pem(identity))
    return undefined
  } catch (error) {
    return unusable(error).message
  }
}

/**
 * What a handshake has come to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Session {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly protocol: string
  /** The application protocol that both speak, where they have agreed on one. */
  readonly alpnProtocol: string | undefined
  /** The name that the client has asked for. */
  readonly servername: string | undefined
  /** The peer's certificate is one that is trusted. */
  readonly isAuthorized: boolean
  readonly peerCertificate: Tls.PeerCertificate | undefined
}

/**
 * The TLS of a connection, if it has one. Of a connection that has closed, what is left of it: the certificate is gone.
 *
 * **Example** (A handler that knows its client)
 *
 * ```ts no-run
 * import * as NodeTls from "@finwait/node/NodeTls"
 * import * as Option from "effect/Option"
 * import type { Connection } from "finwait/Connection"
 *
 * const greet = (connection: Connection) => {
 *   const client = Option.map(NodeTls.session(connection), ({ peerCertificate }) => peerCertificate?.subject.CN)
 *   return connection.write(`hello ${Option.getOrElse(client, () => "stranger")}\n`)
 * }
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const session = (connection: Connection): Option.Option<Session> => {
  const pipe = Transport.of(connection)
  const tls = pipe instanceof NodeTransport ? pipe.secured?.tls : undefined
  if (tls === undefined) return Option.none()
  const certificate = tls.getPeerCertificate()
  const { servername } = tls as { servername?: string | false | null }
  return Option.some({
    protocol: tls.getProtocol() ?? "",
    alpnProtocol: typeof tls.alpnProtocol === "string" ? tls.alpnProtocol : undefined,
    servername: typeof servername === "string" ? servername : undefined,
    isAuthorized: tls.authorized,
    peerCertificate: certificate?.subject === undefined ? undefined : certificate
  })
}
