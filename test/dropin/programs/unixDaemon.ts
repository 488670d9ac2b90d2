/** A key-value daemon on a Unix socket, with a protocol of lines, and a client that tells it to stop. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Console, Deferred, Effect, Fiber, Queue, Stream } from "effect"
import { Socket, SocketServer } from "effect/socket"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "daemon-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** Reads lines, answers each with one. */
const daemon = Effect.gen(function* () {
  const server = yield* SocketServer.SocketServer
  const stop = yield* Deferred.make<void>()
  const store = new Map<string, string>()

  const answer = (line: string) => {
    const [command, key = "", ...words] = line.split(" ")
    switch (command) {
      case "SET": {
        store.set(key, words.join(" "))
        return "OK"
      }
      case "GET":
        return store.has(key) ? `VALUE ${store.get(key)}` : "NONE"
      case "KEYS":
        return `KEYS ${[...store.keys()].join(" ")}`
      default:
        return `ERROR ${command}?`
    }
  }

  const connection = (socket: Socket.Socket) => {
    const answers = Stream.never.pipe(
      Stream.pipeThroughChannel(Socket.toChannelString(socket)),
      Stream.splitLines,
      Stream.map((line) => (line === "STOP" ? undefined : answer(line)))
    )
    return Effect.gen(function* () {
      const { write } = yield* socket.writer
      yield* Stream.runForEach(answers, (line) =>
        line === undefined ? Effect.andThen(write("STOPPING\n"), Deferred.succeed(stop, void 0)) : write(`${line}\n`)
      )
    }).pipe(
      Effect.scoped,
      Effect.catchReason("SocketError", "SocketCloseError", () => Effect.void)
    )
  }

  const running = yield* Effect.forkScoped(server.run(connection))
  yield* Deferred.await(stop)
  yield* Fiber.interrupt(running)
})

const ask = (path: string) =>
  Effect.gen(function* () {
    const socket = yield* NodeSocket.makeNet({ path })
    const requests = yield* Queue.unbounded<string>()
    const replies = yield* Stream.fromQueue(requests).pipe(
      Stream.pipeThroughChannel(Socket.toChannelString(socket)),
      Stream.splitLines,
      Stream.toPull
    )
    return Effect.fnUntraced(function* (line: string) {
      yield* Queue.offer(requests, `${line}\n`)
      const [reply] = yield* replies
      yield* Console.log(`${line} -> ${reply}`)
    })
  })

const program = Effect.gen(function* () {
  const path = join(yield* temporaryDirectory, "daemon.sock")

  yield* Effect.gen(function* () {
    const { address } = yield* SocketServer.SocketServer
    yield* Console.log(`listens at its path: ${address._tag === "UnixPathAddress" && address.path === path}`)
    const served = yield* Effect.forkScoped(daemon)

    yield* Effect.scoped(
      Effect.gen(function* () {
        const first = yield* ask(path)
        const second = yield* ask(path)
        yield* first("SET name Ada Lovelace")
        yield* second("GET name")
        yield* second("SET year 1815")
        yield* first("KEYS")
        yield* first("GET nothing")
        yield* second("DANCE")
        yield* first("STOP")
      })
    )
    yield* Fiber.join(served)
  }).pipe(Effect.scoped, Effect.provide(NodeSocketServer.layer({ path })))

  yield* Console.log(`the file is gone: ${!existsSync(path)}`)
  const socket = yield* NodeSocket.makeNet({ path })
  const error = yield* Effect.flip(socket.reader)
  yield* Console.log(`nobody is there: ${error.reason._tag}`)
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
