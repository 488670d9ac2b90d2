/**
 * Where Finwait's sockets do other than Effect's and should not. Such a row is expected to fail; when it holds, it says so,
 * and goes from here.
 */
import type { Transport } from "./world.ts"

export const mistakes: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "tcp: a handler destroys Node's own socket: its pull ends, and the peer hears an end": "its pull never ends",
    "unix: a handler destroys Node's own socket: its pull ends, and the peer hears an end": "its pull never ends",
    "tls: a handler destroys Node's own socket: its pull ends, and the peer hears an end": "its pull never ends"
  } satisfies Record<`${Transport}: ${string}`, string>)
)
