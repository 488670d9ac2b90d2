/** What cannot be connected to or listened at: the message says operation, address and reason. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Network from "finwait/Network"
import { chmodSync, mkdirSync, renameSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { Program } from "../../../test/tools/Program.ts"
import { deafListener } from "./support/deafListener.ts"
import { dial, folder, openSockets, rawListener, real, serve, until } from "./support/network.ts"

const connecting = (address: string) => Effect.flip(Effect.scoped(Network.connect(address)))
const listening = (address: string) => Effect.flip(Effect.scoped(Network.listen(address)))

/** A port of this machine at which nobody listens. */
const freePort = Effect.map(Effect.scoped(rawListener()), ({ url }) => new URL(url).port)

const longestPath = (process.platform === "linux" ? 107 : 103) as number
const pathOf = (bytes: number) => `/tmp/${"x".repeat(bytes - 5)}`

describe("connecting", () => {
  it.live("where nobody listens is refused", () =>
    real(
      Effect.gen(function* () {
        const port = yield* freePort
        const error = yield* connecting(`tcp://127.0.0.1:${port}`)
        assert.strictEqual(error.message, `connect tcp 127.0.0.1:${port}: refused: nobody listens there`)
        assert.strictEqual(error.reason._tag, "Refused")
      })
    )
  )

  it.live("to a name whose every address refuses is refused", () =>
    real(
      Effect.gen(function* () {
        const port = yield* freePort
        const error = yield* connecting(`tcp://localhost:${port}`)
        assert.strictEqual(error.message, `connect tcp localhost:${port}: refused: nobody listens there`)
      })
    )
  )

  it.live("to a Unix socket that is absent, or stale, is refused", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        const absent = yield* connecting(`unix://${directory}/a.sock`)
        assert.strictEqual(absent.message, `connect unix ${directory}/a.sock: refused: nobody listens there`)
        const server = createServer()
        yield* Effect.promise(() => new Promise<void>((resolve) => server.listen(`${directory}/b.sock`, resolve)))
        renameSync(`${directory}/b.sock`, `${directory}/stale.sock`)
        server.close()
        const stale = yield* connecting(`unix://${directory}/stale.sock`)
        assert.strictEqual(stale.message, `connect unix ${directory}/stale.sock: refused: nobody listens there`)
      })
    )
  )

  it.live("to who never answers ends at connectTimeout, and leaves nothing open", () =>
    real(
      Effect.gen(function* () {
        const url = yield* deafListener
        const before = openSockets()
        const error = yield* connecting(url)
        const where = url.replace("://", " ")
        assert.strictEqual(error.message, `connect ${where}: no connection within connectTimeout 100 ms`)
        yield* until(() => openSockets() === before, "the socket is closed")
      }),
      { connectTimeout: 100 }
    )
  )

  it.live("ends when it is interrupted, and leaves nothing open", () =>
    real(
      Effect.gen(function* () {
        const url = yield* deafListener
        const before = openSockets()
        const fiber = yield* Effect.forkChild(connecting(url), { startImmediately: true })
        if (before !== undefined) yield* until(() => openSockets() === before + 1, "it is being dialled")
        yield* Fiber.interrupt(fiber)
        yield* until(() => openSockets() === before, "the socket is closed")
      })
    )
  )

  it.live.each([
    ["in the tick of", (act: () => void): void => process.nextTick(act)],
    ["in the turn of", (act: () => void): void => void setImmediate(act)],
    ["a turn after", (act: () => void): void => void setImmediate(() => setImmediate(act))]
  ] as const)("that is interrupted %s its success leaves nothing open", ([, later]) =>
    real(
      Effect.gen(function* () {
        let interrupt = () => {}
        const ended: Array<Promise<unknown>> = []
        const server = createServer((socket) => {
          ended.push(new Promise((resolve) => socket.on("error", resolve).on("close", resolve).resume()))
          later(interrupt)
        })
        yield* Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
        const { port } = server.address() as AddressInfo
        const before = openSockets()
        for (let i = 0; i < 10; i++) {
          const program = Effect.scoped(Effect.andThen(Network.connect(`tcp://127.0.0.1:${port}`), Effect.never))
          const fiber = yield* Effect.forkChild(program, { startImmediately: true })
          interrupt = () => fiber.interruptUnsafe()
          yield* Fiber.await(fiber)
        }
        yield* until(() => openSockets() === before, "all sockets are closed")
        yield* Effect.promise(() => Promise.all(ended))
        server.close()
      })
    )
  )

  it.live("to a name that does not exist", () =>
    real(
      Effect.gen(function* () {
        const error = yield* connecting("tcp://does-not-exist.invalid:1")
        assert.match(
          error.message,
          /^connect tcp does-not-exist\.invalid:1: the host could not be resolved \((ENOTFOUND|EAI_AGAIN)\)$/
        )
      })
    )
  )

  it.live("to a path that is too long", () =>
    real(
      Effect.gen(function* () {
        assert.strictEqual((yield* connecting(`unix://${pathOf(longestPath)}`)).reason._tag, "Refused")
        const path = pathOf(longestPath + 1)
        const error = yield* connecting(`unix://${path}`)
        assert.strictEqual(
          error.message,
          `connect unix ${path}: the path has ${longestPath + 1} bytes, the limit is ${longestPath}`
        )
      })
    )
  )

  it.live("to what is no address", () =>
    real(
      Effect.gen(function* () {
        const error = yield* connecting("http://127.0.0.1")
        assert.strictEqual(error.message, `connect "http://127.0.0.1": neither tcp: nor unix:`)
      })
    )
  )
})

describe("listening", () => {
  it.live("where another listens, while the other goes on", () =>
    real(
      Effect.gen(function* () {
        const first = yield* serve("tcp://127.0.0.1:0")
        const where = first.url.replace("://", " ")
        const error = yield* listening(first.url)
        assert.strictEqual(error.message, `listen ${where}: the address is in use by another listener`)
        // Nor does any other failure touch it.
        yield* Effect.all([
          connecting(`tcp://127.0.0.1:${yield* freePort}`),
          connecting("tcp://does-not-exist.invalid:1"),
          listening("tcp://192.0.2.1:0"),
          listening("nonsense")
        ])
        const client = yield* dial(first.url)
        client.socket.end("still there?")
        assert.strictEqual(yield* Effect.promise(() => client.ended()), "FIN")
        assert.strictEqual(client.text, "still there?")
        assert.isTrue(yield* first.drain.isReady)
      })
    )
  )

  it.live("at an address that is not this machine's", () =>
    real(
      Effect.gen(function* () {
        const error = yield* listening("tcp://192.0.2.1:0")
        assert.strictEqual(error.message, "listen tcp 192.0.2.1:0: the address is not available here (EADDRNOTAVAIL)")
      })
    )
  )

  it.live("at a name that does not exist", () =>
    real(
      Effect.gen(function* () {
        const error = yield* listening("tcp://does-not-exist.invalid:0")
        assert.match(error.message, /^listen tcp does-not-exist\.invalid:0: the host could not be resolved \(/)
      })
    )
  )

  it.live("in a folder that is absent, or is a file", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        const absent = yield* listening(`unix://${directory}/no/a.sock`)
        assert.strictEqual(absent.message, `listen unix ${directory}/no/a.sock: there is no such folder (ENOENT)`)
        const file = yield* listening("unix:///dev/null/a.sock")
        assert.strictEqual(file.message, "listen unix /dev/null/a.sock: there is no such folder (ENOTDIR)")
      })
    )
  )

  it.live("at a path that is too long: a temporary name must fit as well", () =>
    real(
      Effect.gen(function* () {
        const limit = longestPath - 9
        const path = pathOf(limit + 1)
        const error = yield* listening(`unix://${path}`)
        assert.strictEqual(error.message, `listen unix ${path}: the path has ${limit + 1} bytes, the limit is ${limit}`)
        const directory = yield* folder
        yield* serve(`unix://${directory}/${"x".repeat(limit - directory.length - 1)}`)
      })
    )
  )

  it.live("at what is no address", () =>
    real(
      Effect.gen(function* () {
        assert.strictEqual(
          (yield* listening("tcp://127.0.0.1:65536")).message,
          `listen "tcp://127.0.0.1:65536": port 65536 is not between 0 and 65535`
        )
        assert.strictEqual((yield* listening("unix://")).message, `listen "unix://": the path is empty`)
      })
    )
  )
})

describe("permission", () => {
  it.live("is missing: to make a socket in a folder, to replace one, and to connect to one", () =>
    real(
      Effect.gen(function* () {
        const directory = `${yield* folder}/closed`
        mkdirSync(directory)
        yield* serve(`unix://${directory}/closed.sock`, { mode: 0o000 })
        // The folder above is its owner's alone as well.
        chmodSync(`${directory}/..`, 0o755)
        chmodSync(directory, 0o555)
        const program = new Program(new URL("fixtures/denied.ts", import.meta.url), { env: { FOLDER: directory } })
        const ended = yield* Effect.promise(() => program.ended())
        chmodSync(directory, 0o755)
        assert.deepStrictEqual(ended, { code: 0, signal: null }, program.stderr)
        assert.deepStrictEqual(program.said, [
          {
            messages: [
              `listen unix ${directory}/a.sock: permission denied (EACCES)`,
              `listen unix ${directory}/closed.sock: permission denied (EACCES)`,
              `connect unix ${directory}/closed.sock: permission denied (EACCES)`
            ]
          }
        ])
      })
    )
  )
})
