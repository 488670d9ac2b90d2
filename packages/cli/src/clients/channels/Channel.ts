/**
 * One connection as its client drives it: nothing is read, said or answered that the client has not asked for.
 */
import type { Seen } from "../ClientRecord.ts"

export interface Channel {
  /** 0 until it is connected. */
  readonly localPort: number
  /**
   * One message. What is sent before the handshakes are over leaves when they are. `taken` is called when the kernel has
   * it, or never will, where that can be known.
   */
  send(message: string | Uint8Array, taken?: () => void): void
  /** The first half of a message, and never the rest. */
  sendHalf(message: string | Uint8Array): void
  /** Begins, or goes on, to read. */
  read(): void
  /** Reads no more: whatever comes from here on stays in the kernel. A handshake is read to its end all the same. */
  hold(): void
  /** What a peer that was told this should say: its own close frame, its own close_notify, its own FIN. */
  answer(what: Seen): void
  /** Says goodbye first. */
  leave(): void
  /** Away with it, without a word. */
  destroy(): void
}

export const half = <A extends string | Uint8Array>(message: A): A => message.slice(0, message.length / 2) as A

/** Which kind of message a WebSocket brought the bytes in; other channels have no messages. */
export type Kind = "text" | "binary" | undefined

/** Who listens to a channel. */
export interface Ear {
  /** The peer's kernel has taken the connection. */
  connected(): void
  /** The handshakes are over. */
  ready(): void
  /** Bytes of the protocol that is spoken here. They are good until the call returns. */
  heard(chunk: Buffer, kind: Kind): void
  saw(what: Seen): void
  /** An error that is none of what can be seen. */
  failed(trouble: string): void
  /** There is no socket any more. */
  closed(): void
}
