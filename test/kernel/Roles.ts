/**
 * Who talks to a server that is told to stop, and what each of them is owed. The protocol, one request a line:
 *
 *     HELLO                  OK        so that a client knows that what it sent with it has arrived
 *     GET <bytes> <from>     body      at once, in one write
 *     AFTER <ms> <bytes> <from>        body, so long after the drain was announced: in hand when the end comes
 *     LAST <bytes> <from>              body when the drain is announced, then the connection ends; what follows the
 *                                      request stays unread
 *
 * A body is a piece of one long pattern, from a place that the request names: a byte that is lost, doubled, moved or
 * another connection's is a wrong byte.
 */
import type { CloseOutcome } from "finwait/CloseOutcome"

export interface Role {
  /** `flapping` goes down in the middle of the drain and comes back. The others that go down never come back. */
  readonly link: "steady" | "flapping" | "downBefore" | "downDuring"
  /** Sent in one write once connected; answered with `OK` where there is a HELLO. */
  readonly opening: (from: number) => string
  /** Sent when the drain has been announced: the rest of a message that had begun. */
  readonly rest?: (from: number) => string
  /** Sent behind the opening, without a look at what the server says. */
  readonly uploadBytes?: number
  /** `slowly` and `never` begin to read, or do not, when the drain is announced. */
  readonly reads: "all" | "slowly" | "afterUpload" | "never"
  /** Says its own FIN when it has heard the server's. */
  readonly answersFin: boolean
  readonly bodyBytes: number
  /** What the server's report has to say of it. */
  readonly outcome: CloseOutcome["_tag"]
  /** What the server's last word on the wire has to be: FIN after the very last byte, or RST and never a FIN. */
  readonly ending: "FIN" | "RST"
  /** Whether every byte has to reach it. */
  readonly owed: boolean
}

/** More than the kernels of both sides take for a client that does not read. */
const endlessBytes = 16 * 1024 * 1024

const reader = {
  link: "steady",
  reads: "all",
  answersFin: true,
  outcome: "Graceful",
  ending: "FIN",
  owed: true
} as const

export const roles = {
  idle: { ...reader, opening: () => "HELLO\n", bodyBytes: 0 },
  mute: { ...reader, opening: () => "", bodyBytes: 0 },
  inFlight: { ...reader, opening: (from) => `HELLO\nAFTER 150 3000 ${from}\n`, bodyBytes: 3_000 },
  inFlightLarge: { ...reader, opening: (from) => `HELLO\nAFTER 30 80000 ${from}\n`, bodyBytes: 80_000 },
  halfRequest: { ...reader, opening: () => `HELLO\nAFTER 20 20`, rest: (from) => `00 ${from}\n`, bodyBytes: 2_000 },
  slowReader: { ...reader, opening: (from) => `HELLO\nGET 200000 ${from}\n`, reads: "slowly", bodyBytes: 200_000 },
  uploader: {
    ...reader,
    opening: (from) => `HELLO\nLAST 40000 ${from}\n`,
    uploadBytes: 256 * 1024,
    reads: "afterUpload",
    bodyBytes: 40_000
  },
  flappingInFlight: {
    ...reader,
    link: "flapping",
    opening: (from) => `HELLO\nAFTER 300 20000 ${from}\n`,
    bodyBytes: 20_000
  },
  flappingReader: {
    ...reader,
    link: "flapping",
    opening: (from) => `HELLO\nGET 100000 ${from}\n`,
    reads: "slowly",
    bodyBytes: 100_000
  },
  /** Its FIN never comes; the server's linger expires, and nothing of what was sent is taken back. */
  staying: {
    ...reader,
    opening: (from) => `HELLO\nAFTER 10 1000 ${from}\n`,
    answersFin: false,
    bodyBytes: 1_000,
    outcome: "LingerExpired"
  },
  /** Takes nothing: at the deadline there are bytes that never left, and a FIN would call half an answer whole. */
  silent: {
    ...reader,
    opening: (from) => `HELLO\nGET ${endlessBytes} ${from}\n`,
    reads: "never",
    bodyBytes: endlessBytes,
    outcome: "Aborted",
    ending: "RST",
    owed: false
  },
  /** Gone before the drain: the kernel takes the short answer and the FIN, and nobody ever acknowledges them. */
  goneInFlight: {
    ...reader,
    link: "downBefore",
    opening: (from) => `HELLO\nAFTER 200 5000 ${from}\n`,
    bodyBytes: 5_000,
    outcome: "LingerExpired",
    owed: false
  },
  /** Gone in the middle of an answer that the kernel cannot hold. */
  goneReader: {
    ...reader,
    link: "downDuring",
    opening: (from) => `HELLO\nGET ${endlessBytes} ${from}\n`,
    reads: "slowly",
    bodyBytes: endlessBytes,
    outcome: "Aborted",
    ending: "RST",
    owed: false
  }
} as const satisfies Record<string, Role>

export type RoleName = keyof typeof roles

export const roleOf = (name: RoleName): Role => roles[name]

/** What each kind of drain is about: those whom nothing needs to be done to, and those who need force among them. */
export const clean: ReadonlyArray<RoleName> = [
  "idle",
  "mute",
  "inFlight",
  "inFlightLarge",
  "halfRequest",
  "slowReader",
  "uploader",
  "flappingInFlight",
  "flappingReader"
]

export const forced: ReadonlyArray<RoleName> = [
  "idle",
  "mute",
  "inFlight",
  "inFlightLarge",
  "halfRequest",
  "slowReader",
  "uploader",
  "staying",
  "silent",
  "silent",
  "goneInFlight",
  "goneReader"
]

/** Where in the pattern a body may begin. */
export const fromMax = 4096

let pattern: Uint8Array | undefined

/** So many bytes of the pattern. A slice, so that a hundred answers cost the memory of one. */
export const body = (bytes: number, from: number): Uint8Array =>
  (pattern ??= makePattern()).subarray(from, from + bytes)

const makePattern = (): Uint8Array => {
  const made = new Uint8Array(endlessBytes + fromMax)
  let state = 0x9e3779b9
  for (let at = 0; at < made.length; at++) {
    // xorshift32: no period that a segment or a buffer could fit into.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    made[at] = state
  }
  return made
}

/** What a client has to hear, in order. */
export const greeting = (role: Role): string => (role.opening(0).startsWith("HELLO") ? "OK\n" : "")
export const expectedBytes = (role: Role): number => greeting(role).length + role.bodyBytes

/** One line, as a server sees it. */
export type Request =
  | { readonly verb: "HELLO" }
  | { readonly verb: "GET" | "LAST"; readonly bytes: number; readonly from: number }
  | { readonly verb: "AFTER"; readonly millis: number; readonly bytes: number; readonly from: number }

export const parse = (line: string): Request | undefined => {
  const [verb, ...numbers] = line.split(" ")
  const [first = 0, second = 0, third = 0] = numbers.map(Number)
  switch (verb) {
    case "HELLO":
      return { verb }
    case "GET":
    case "LAST":
      return { verb, bytes: first, from: second }
    case "AFTER":
      return { verb, millis: first, bytes: second, from: third }
    default:
      return undefined
  }
}
