import { assert, describe, it } from "@effect/vitest"
import { type Connection, readText } from "finwait/Connection"
import type { CloseOutcome } from "finwait/CloseOutcome"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Network from "finwait/Network"
import * as Scope from "effect/Scope"
import { openSockets, serve, turn, until } from "./support/network.ts"
import { givenAway, heardOfReset, only, onTls, options, tlsClient, tlsListener, versions } from "./support/tls.ts"
import { wire } from "./support/tlsWire.ts"

/** The two ways in which node:tls is used: with something between it and the socket, and without. */
const truncations = ["framed", "end"] as const

for (const version of versions) {
  for (const truncation of truncations) {
    const chosen = options(version, { truncation })

    describe(`close_notify, over ${version}, truncation "${truncation}"`, () => {
      it.live("is said before FIN by both, whichever side closes", () =>
        onTls(
          Effect.gen(function* () {
            const { handler, next } = givenAway()
            const server = yield* serve("tcp://127.0.0.1:0", { handler })
            const { conversations, url } = yield* wire(server.url)
            const closes: ReadonlyArray<(client: Connection, leave: () => void) => Effect.Effect<CloseOutcome>> = [
              (client) => client.close,
              (client, leave) => Effect.andThen(Effect.sync(leave), client.outcome)
            ]
            for (const [index, close] of closes.entries()) {
              const client = yield* Network.connect(url)
              yield* client.write("hello")
              const { connection, leave } = yield* next
              yield* connection.pull
              yield* connection.write("hello")
              yield* client.pull
              // The other side reads, hears the end and follows, as programs do.
              const follows = yield* Effect.forkChild(
                Effect.andThen(Effect.exit((index === 0 ? connection : client).pull), () =>
                  index === 0 ? connection.close : client.close
                )
              )
              assert.strictEqual((yield* close(client, leave))._tag, "Graceful")
              assert.strictEqual((yield* Fiber.join(follows))._tag, "Graceful")
              leave()
              const { fromClient, fromServer } = conversations[index]!
              yield* until(() => fromClient.ending !== undefined && fromServer.ending !== undefined, "both end")
              assert.isTrue(fromClient.saidGoodbye, JSON.stringify(fromClient))
              assert.isTrue(fromServer.saidGoodbye, JSON.stringify(fromServer))
            }
          }),
          chosen
        )
      )

      it.live("is said by a drain, at a half-close, and by the end of a handler that failed", () =>
        onTls(
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            const server = yield* Scope.provide(
              serve("tcp://127.0.0.1:0", {
                handler: (connection) =>
                  Effect.flatMap(connection.pull, ([first]) => {
                    if (first === 0x66) return Effect.die("a defect")
                    if (first === 0x68) return Effect.andThen(connection.closeWrite, Effect.exit(connection.pull))
                    return Effect.exit(connection.pull)
                  })
              }),
              scope
            )
            const { conversations, url } = yield* wire(server.url)
            for (const word of ["fail", "half-close", "stay"]) {
              const peer = yield* tlsClient(url)
              yield* peer.send(word)
            }
            const ended = (index: number) =>
              until(() => conversations[index]!.fromServer.ending !== undefined, "it ends")
            yield* ended(0)
            yield* ended(1)
            yield* Scope.close(scope, Exit.void)
            yield* ended(2)
            assert.deepStrictEqual(
              conversations.map(({ fromServer }) => fromServer.saidGoodbye),
              [true, true, true]
            )
            assert.isTrue((yield* server.drain.report).clean)
          }),
          chosen
        )
      )

      it.live("comes behind everything that was written", () =>
        onTls(
          Effect.gen(function* () {
            const piece = new Uint8Array(1024 * 1024).fill(0x78)
            const server = yield* serve("tcp://127.0.0.1:0", {
              handler: (connection) => Effect.repeat(connection.write(piece), { times: 7 })
            })
            const { last, url } = yield* wire(server.url)
            const peer = yield* tlsClient(url)
            assert.strictEqual(yield* peer.ended, "end")
            assert.strictEqual(peer.bytes, 8 * piece.length)
            const { fromServer } = yield* last
            // close_notify ends what the peer reads; FIN may be a moment behind it.
            yield* until(() => fromServer.ending !== undefined, "FIN")
            assert.isTrue(fromServer.saidGoodbye)
          }),
          chosen
        )
      )

      it.live("ends one direction: who has said it hears on, and who has heard it may still answer", () =>
        onTls(
          Effect.gen(function* () {
            const answer = Effect.fnUntraced(function* (connection: Connection) {
              const text = yield* readText(connection)
              // Node's own way is to end both directions at once, in a turn or two.
              yield* Effect.repeat(turn, { times: 5 })
              yield* connection.write(`${text} and back`)
            })
            const server = yield* serve("tcp://127.0.0.1:0", { handler: answer })
            const peer = yield* tlsClient(server.url)
            peer.socket.end("there")
            assert.strictEqual(yield* peer.ended, "end")
            assert.strictEqual(peer.text, "there and back")

            const listener = yield* tlsListener()
            const client = yield* Network.connect(listener.url)
            const asking = yield* listener.next
            asking.socket.end("here")
            yield* answer(client)
            yield* client.close
            assert.strictEqual(yield* asking.ended, "end")
            assert.strictEqual(asking.text, "here and back")
          }),
          chosen
        )
      )

      it.live("of a peer is waited for as the close policy says, and no longer", () =>
        onTls(
          Effect.gen(function* () {
            const { handler, next } = givenAway()
            const close = { lingerIdleTimeout: "200 millis" } as const
            const server = yield* serve("tcp://127.0.0.1:0", { handler, close })
            const mute = yield* tlsClient(server.url, { answers: false })
            const { connection, leave } = yield* next
            leave()
            const ofServer = yield* connection.outcome
            assert.strictEqual(ofServer._tag === "LingerExpired" && ofServer.limit, "lingerIdleTimeout")
            assert.strictEqual(yield* mute.ended, "end")

            const listener = yield* tlsListener({ answers: false })
            const client = yield* Network.connect(listener.url, { close })
            const peer = yield* listener.next
            const ofClient = yield* client.close
            assert.strictEqual(ofClient._tag === "LingerExpired" && ofClient.limit, "lingerIdleTimeout")
            assert.strictEqual(yield* peer.ended, "end")
          }),
          chosen
        )
      )
    })

    describe(`a close that is cut short, over ${version}, truncation "${truncation}"`, () => {
      const piece = new Uint8Array(4 * 1024 * 1024)

      it.live("a peer that reads nothing of 64 MB is reset at the deadline, and leaves nothing", () =>
        onTls(
          Effect.gen(function* () {
            const before = openSockets()
            yield* Effect.scoped(
              Effect.gen(function* () {
                const { handler, next } = givenAway()
                const server = yield* serve("tcp://127.0.0.1:0", { handler, close: { deadline: "300 millis" } })
                const stalled = yield* tlsClient(server.url)
                stalled.socket.pause()
                const { connection, leave } = yield* next
                for (let i = 0; i < 16; i++) {
                  yield* Effect.forkChild(Effect.exit(connection.write(piece)), { startImmediately: true })
                }
                leave()
                const outcome = yield* connection.outcome
                assert.strictEqual(outcome._tag === "Aborted" && outcome.cause, "deadline")
                assert.strictEqual(outcome.stage, "Flushing")
                assert.isBelow(outcome.closeMillis, 1_300)
                assert.strictEqual(outcome.bytesWritten + outcome.bytesUnsent, 16 * piece.length)
                assert.isAtLeast(outcome.bytesWritten, 0)
                stalled.socket.resume()
                assert.include(heardOfReset, yield* stalled.ended)
                assert.isAtMost(stalled.bytes, outcome.bytesWritten + 256 * 1024)
              })
            )
            yield* until(() => openSockets() === before, "all sockets are closed")
          }),
          chosen
        )
      )

      for (const stage of ["Open", "Flushing", "Lingering"] as const) {
        it.live(`an abort is a reset to the peer, at ${stage}`, () =>
          onTls(
            Effect.gen(function* () {
              const listener = yield* tlsListener({ answers: false, ...only(version) })
              const { last, url } = yield* wire(listener.url)
              const client = yield* Network.connect(url)
              const peer = yield* listener.next
              yield* client.write("hello")
              yield* peer.hears("hello")
              if (stage === "Flushing") {
                peer.socket.pause()
                for (let i = 0; i < 4; i++) {
                  yield* Effect.forkChild(Effect.exit(client.write(piece)), { startImmediately: true })
                }
              }
              if (stage !== "Open") yield* Effect.forkChild(client.close, { startImmediately: true })
              if (stage === "Lingering") yield* until(() => client.stage === "Lingering", "it lingers")
              assert.strictEqual(client.stage, stage)
              const outcome = yield* client.abort
              assert.strictEqual(outcome._tag, "Aborted")
              assert.strictEqual(outcome.stage, stage)
              assert.isBelow(outcome.closeMillis, 900)
              peer.socket.resume()
              const { fromClient } = yield* last
              yield* until(() => fromClient.ending !== undefined || peer.ending !== undefined, "it ends")
              // Behind our FIN a peer's socket has ended already, and hears a reset when it writes.
              const expected = { Open: ["ECONNRESET"], Flushing: heardOfReset, Lingering: ["FIN"] }[stage]
              assert.include(expected, fromClient.ending)
            }),
            chosen
          )
        )
      }

      it.live("an abort may be the first that is done with a connection, on both sides: 20 of 20", () =>
        onTls(
          Effect.gen(function* () {
            const before = openSockets()
            yield* Effect.scoped(
              Effect.gen(function* () {
                const aborting = yield* serve("tcp://127.0.0.1:0", { handler: (connection) => connection.abort })
                const patient = yield* serve("tcp://127.0.0.1:0")
                for (let i = 0; i < 20; i++) {
                  const peer = yield* tlsClient(aborting.url)
                  assert.include(heardOfReset, yield* peer.ended)
                  const client = yield* Network.connect(patient.url)
                  const outcome = yield* client.abort
                  assert.strictEqual(outcome._tag, "Aborted")
                  assert.isBelow(outcome.closeMillis, 900)
                }
              })
            )
            yield* until(() => openSockets() === before, "all sockets are closed")
          }),
          chosen
        )
      )

      it.live("when both have ended and nobody has read it, an abort does not have to wait", () =>
        onTls(
          Effect.gen(function* () {
            const listener = yield* tlsListener(only(version))
            const { last, url } = yield* wire(listener.url)
            const client = yield* Network.connect(url)
            const peer = yield* listener.next
            peer.socket.end("unread")
            yield* client.closeWrite
            const { fromClient, fromServer } = yield* last
            yield* until(() => fromClient.ending === "FIN" && fromServer.ending === "FIN", "both have ended")
            yield* Effect.repeat(turn, { times: 20 })
            const outcome = yield* client.abort
            assert.strictEqual(outcome._tag, "Aborted")
            assert.isBelow(outcome.closeMillis, 900)
          }),
          chosen
        )
      )

      it.live("a shutdown with no more time resets who is being waited for", () =>
        onTls(
          Effect.gen(function* () {
            const before = openSockets()
            yield* Effect.scoped(
              Effect.gen(function* () {
                const { handler, next } = givenAway()
                const server = yield* serve("tcp://127.0.0.1:0", { handler })
                const peers = [yield* tlsClient(server.url), yield* tlsClient(server.url, { answers: false })]
                yield* next
                const { leave } = yield* next
                const drain = yield* Effect.forkChild(server.drain.begin, { startImmediately: true })
                // One handler never ends, the other has, and its peer does not answer.
                leave()
                yield* server.drain.cut
                const report = yield* Fiber.join(drain)
                assert.isFalse(report.clean)
                assert.strictEqual(report.outcomes.Aborted, 2)
                assert.isBelow(report.durationMillis, 900)
                for (const peer of peers) yield* peer.ended
              })
            )
            yield* until(() => openSockets() === before, "all sockets are closed")
          }),
          chosen
        )
      )
    })
  }
}
