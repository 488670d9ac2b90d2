/**
 * The provider interface: the primitive acts of one byte pipe, and where such pipes come from. Applications never see
 * it; it is what a new kind of network implements.
 *
 * A transport does what it is told, at once, and tells what happened. It has no policy, no timer and no retry: how to
 * say goodbye and how long to wait is decided once, above it, for every transport alike.
 *
 * What is said here is tried by `finwait/testing/TransportLaws`: run it on a provider of your own.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import type { Address } from "./Address.ts"
import type { CloseOutcome, Stage } from "./CloseOutcome.ts"
import type { Connection } from "./Connection.ts"
import type { NetworkError } from "./NetworkError.ts"

/**
 * What a kind of pipe can do beyond carrying bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Capabilities {
  /** `reset` reaches the peer as a reset. A Unix socket has none: there the peer sees an end. */
  readonly reset: boolean
  /**
   * The two directions end one by one: who has sent FIN still hears, and who has heard it still speaks. TCP and Unix
   * sockets can; a pipe whose farewell ends both directions, as a WebSocket's close frame does, cannot.
   */
  readonly halfClose: boolean
  /**
   * A pipe of messages, as a WebSocket is: what one `write` carries arrives as one chunk, which may be empty, and text as
   * text. Left out: a pipe of bytes.
   */
  readonly messages?: boolean
}

/**
 * The last words of a side, in the codes of WebSocket (RFC 6455, 7.4), which Effect's sockets speak as well: 1000 when
 * all is done, 1001 when it goes away, 4000 to 4999 for what an application means by them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Goodbye {
  readonly code: number
  /** At most 123 bytes of UTF-8. */
  readonly reason: string
}

/**
 * How the peer has ended, where its pipe can tell more than that it has.
 *
 * @category models
 * @since 0.1.0
 */
export interface PeerEnd {
  /** The end was not said but only came: FIN without TLS's close_notify. Somebody else may have cut the stream. */
  readonly truncated?: boolean
  /** What it said. */
  readonly goodbye?: Goodbye
}

/**
 * Who hears that a conversation is over: nothing more is to be said on a pipe that was lent.
 *
 * @category provider
 * @since 0.1.0
 */
export interface ConversationListener {
  /**
   * `isCut`: an answer was cut, for which there is no more time. To a peer that counts on its end, FIN would make it look
   * whole.
   */
  onOver(isCut: boolean): void
}

/**
 * One established byte pipe.
 *
 * **Details**
 *
 * Delivery begins paused; nothing is told before `attach`, and what comes before it waits. After `onReleased`, or after
 * `release` has been called, nothing is told any more; after `reset` nothing but `onReleased`. No act throws, and every
 * act on a pipe that has ended does nothing, nor does a write behind `closeWrite`.
 *
 * @category provider
 * @since 0.1.0
 */
export interface Transport {
  readonly capabilities: Capabilities
  readonly localAddress: Address
  readonly remoteAddress: Address
  /** Names the one who is told, once. */
  attach(receiver: Receiver): void
  /** Delivers what arrives until `pause`. */
  resume(): void
  /**
   * Stops delivering: what arrives waits in the system, which holds the peer back, and the end waits behind it. Only a
   * pipe that breaks may hand over what it still has, right before `onBroken`.
   */
  pause(): void
  /**
   * Calls back once everything that the system held for this pipe at the time of the call has been delivered, as far
   * as it can be known; delivery must be on. A pipe that is paused meanwhile calls back as well.
   */
  catchUp(callback: () => void): void
  /** Takes bytes in order. `false`: taken, but give no more before `onWritable`. */
  write(bytes: Uint8Array): boolean
  /**
   * Takes text as `write` takes its bytes, for a transport that need not make bytes of it first. `undefined`: nothing was
   * taken, because some character is more than one byte of UTF-8, or because it would rather have bytes.
   */
  writeText?(text: string): boolean | undefined
  /**
   * Whether a chunk that was handed over is text; of a pipe of messages that knows.
   */
  isText?(chunk: Uint8Array): boolean
  /**
   * Sends FIN behind everything taken; `onFlushed` tells when the system has it all. A pipe that has words for an end
   * says `goodbye`, code 1000 when none is given; others ignore it. `isLast`: the peer has ended as well, and `release`
   * follows `onFlushed` at once. A pipe whose release says FIN may leave it to that.
   */
  closeWrite(goodbye?: Goodbye, isLast?: boolean): void
  /** Ends both directions at once and tells the peer so, with RST where there is one. What was not sent is lost. */
  reset(): void
  /** Bytes taken that the system has not got yet. */
  readonly unsentBytes: number
  /**
   * Bytes that somebody else has read and written on it, while it was lent to him; of a pipe that can be. They are counted
   * in the outcome with those that went through here.
   */
  readonly lentBytes?: { readonly read: number; readonly written: number }
  /**
   * Lends the pipe to who speaks on it by itself; of one that can be, and of which nothing else is asked until then than
   * `catchUp`, `reset` and `release`. `listener` is told once when it is over. See `Server.conversation`.
   */
  converse?(listener: ConversationListener): void
  /** There is no more time for answers, of a conversation that is not over. */
  hurry?(): void
  /** Gives the descriptor back. What the system has taken is still sent, unless input is unread: that is a reset. */
  release(): void
  /**
   * Speaks TLS from here on, on the pipe that there is, and succeeds when the handshake has. `arrived` are the bytes that
   * were handed over and not taken by anybody: they are the peer's first of the handshake. Fails with whatever stood in
   * the way, and the pipe is broken then. Of a pipe that can.
   */
  upgrade?(options: Socket.TlsUpgradeOptions, arrived: ReadonlyArray<Uint8Array>): Effect.Effect<void, unknown>
  /**
   * Hears how the close above it goes on: the stages it enters, and its outcome, after which nothing follows. For
   * networks that keep a history; others leave it out.
   */
  observe?(progress: Stage | CloseOutcome): void
}

/**
 * The one who is told what happens on a pipe.
 *
 * @category provider
 * @since 0.1.0
 */
export interface Receiver {
  /** Bytes, in order, never empty but on a pipe of messages. They belong to the receiver from now on. */
  onData(bytes: Uint8Array): void
  /** The peer's FIN: no more bytes will come. */
  onEnd(end?: PeerEnd): void
  /** Bytes may be given again after `write` said `false`. */
  onWritable(): void
  /** Everything taken, and the FIN behind it, has been given to the system. */
  onFlushed(): void
  /** The pipe broke; `code` is the system's word for it (`ECONNRESET`, `EPIPE`, `ETIMEDOUT` …). */
  onBroken(code: string): void
  /** The descriptor is gone; the last thing that is told. */
  onReleased(): void
}

/**
 * What to do about a failed accept. The classes follow what servers have learnt to distinguish: a connection that died
 * in the backlog says nothing about the next one, a machine without descriptors needs time, a closed listener needs
 * nothing, and everything else should be seen.
 *
 * @category models
 * @since 0.1.0
 */
export type AcceptErrorClass = "retry" | "backOff" | "stop" | "fatal"

const classes: Record<string, AcceptErrorClass> = {
  // The peer gave up before it was accepted, or the network reported an old error on the new socket: accept(2) says to
  // treat these like EAGAIN.
  ECONNABORTED: "retry",
  ECONNRESET: "retry",
  EINTR: "retry",
  EAGAIN: "retry",
  EPROTO: "retry",
  ENETDOWN: "retry",
  ENETUNREACH: "retry",
  EHOSTDOWN: "retry",
  EHOSTUNREACH: "retry",
  ENONET: "retry",
  ENOPROTOOPT: "retry",
  EOPNOTSUPP: "retry",
  EPERM: "retry",
  ETIMEDOUT: "retry",
  // Nothing is wrong with the listener; the process or the machine has no room.
  EMFILE: "backOff",
  ENFILE: "backOff",
  ENOBUFS: "backOff",
  ENOMEM: "backOff",
  // The listener was closed by this side.
  EBADF: "stop",
  ECANCELED: "stop",
  ERR_SERVER_NOT_RUNNING: "stop"
}

/**
 * The class of a failed accept, by the system's error code. Codes that nobody has met are fatal: a server that cannot
 * accept, and does not know why, must not look healthy.
 *
 * @category models
 * @since 0.1.0
 */
export const acceptErrorClass = (code: string): AcceptErrorClass =>
  (Object.hasOwn(classes, code) ? classes[code] : undefined) ?? "fatal"

/**
 * The one who is told what a listening socket accepts.
 *
 * @category provider
 * @since 0.1.0
 */
export interface AcceptReceiver {
  onAccept(transport: Transport): void
  /** An accept failed; see {@link acceptErrorClass}. */
  onAcceptError(code: string): void
  /** The system, or the provider, turned connections away because a limit of the process was reached. */
  onOverflow(): void
}

/**
 * One listening socket.
 *
 * @category provider
 * @since 0.1.0
 */
export interface Acceptor {
  /** Where it listens, with the port that the system chose. */
  readonly address: Address
  /** Names the one who is told, once; accepting begins. */
  attach(receiver: AcceptReceiver): void
  /**
   * Stops accepting, without dropping what waits in the backlog: that is accepted and handed over first. Calls back
   * when the listening socket is gone.
   */
  stop(callback: () => void): void
  /** Stops accepting at once; who waits in the backlog is reset. Ends a `stop` that is under way. */
  abort(): void
}

/**
 * Options of a listening socket that a provider may honour.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListenOptions {
  /** How many connections may wait to be accepted. Default 511, as Node and nginx have it. */
  readonly backlog?: number | undefined
  /** Permissions of a Unix socket's file, for example `0o660`. Default: what the process's umask leaves. */
  readonly mode?: number | undefined
}

/**
 * A source of pipes: a kind of network.
 *
 * @category provider
 * @since 0.1.0
 */
export interface Provider {
  /**
   * Establishes a pipe. Interruption ends the attempt. The caller owns what it gets, until `release` or `reset`; `made`
   * is told of it in the very turn in which it comes about, so that an interruption on its way loses no descriptor.
   */
  connect(address: Address, made: (transport: Transport) => void): Effect.Effect<Transport, NetworkError>
  /** Binds and listens. The scope's end closes a listener that nobody has stopped. */
  listen(address: Address, options: ListenOptions): Effect.Effect<Acceptor, NetworkError, Scope.Scope>
}

/**
 * An upgrade could not begin, because of what this side has asked for: a key without its certificate, one that cannot be
 * used. The connection goes on as it is. What fails later is the handshake's own.
 *
 * @category errors
 * @since 0.1.0
 */
export class CannotUpgrade extends Schema.TaggedError<CannotUpgrade>()("CannotUpgrade", { problem: Schema.String }) {
  override get message() {
    return this.problem
  }
}

/**
 * The pipe under a connection: for the provider that has put it there and wants it again.
 *
 * @category provider
 * @since 0.1.0
 */
export const of = (connection: Connection): Transport => (connection as Connection & { transport: Transport }).transport
