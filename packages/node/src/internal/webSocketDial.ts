/**
 * Dials, and asks for the upgrade to a WebSocket.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Address from "finwait/Address"
import { type Reason, reasonFromCode } from "finwait/NetworkError"
import type { Provider, Transport } from "finwait/Transport"
import { thenUpgraded } from "./dial.ts"
import { failure } from "./failures.ts"
import type { WebSocketSettings } from "./webSocketSettings.ts"
import { ServedWebSocket } from "./webSocketSocket.ts"
import { WebSocketTransport } from "./webSocketTransport.ts"
import { under } from "./webSocketUnder.ts"

/** What the request says; the stream is there already, and whether it is one of TLS is its own affair. */
const urlOf = (address: Address.Address, path: string): string =>
  `ws://${address._tag === "Unix" ? "localhost" : Address.format(address).slice("tcp://".length)}${path}`

/** `ws` has an error of its own, without a code, for an answer that is no upgrade. */
const reasonOf = (error: NodeJS.ErrnoException): Reason => reasonFromCode(error.code ?? "EPROTO", error.message)

const upgrade = (
  raw: Transport,
  address: Address.Address,
  { client, liveness, path, protocols }: WebSocketSettings,
  made: (transport: Transport) => void
): Effect.Effect<Transport, Reason> =>
  Effect.callback((resume) => {
    const below = under(raw)
    const socket = new ServedWebSocket(urlOf(address, path), [...protocols], {
      ...client,
      createConnection: (() => below.stream) as never
    })
    const onError = (error: NodeJS.ErrnoException) => resume(Exit.fail(reasonOf(error)))
    socket.on("error", onError)
    socket.once("open", () => {
      const transport = new WebSocketTransport(socket, below, undefined, liveness)
      socket.off("error", onError)
      made(transport)
      resume(Exit.succeed(transport))
    })
    below.stream.resume()
  })

export const dialWebSocket =
  (base: Provider, settings: WebSocketSettings): Provider["connect"] =>
  (address, made) =>
    thenUpgraded(
      (raw: (pipe: Transport) => void) => base.connect(address, raw),
      (raw) =>
        upgrade(raw, address, settings, made).pipe(
          Effect.timeoutOrElse({
            duration: Duration.millis(settings.limits.timeoutMillis),
            orElse: () => Effect.fail(reasonFromCode("ETIMEDOUT", tooLong(settings)))
          }),
          Effect.mapError(failure("connect", address))
        )
    )

const tooLong = ({ limits }: WebSocketSettings): string =>
  `no upgrade within handshakeTimeout ${limits.timeoutMillis} ms`
