/** The file of a Unix socket, from its appearance to its removal. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import fs from "node:fs/promises"
import { syncBuiltinESMExports } from "node:module"
import { existsSync, lstatSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs"
import * as net from "node:net"
import { Program } from "../../../test/tools/Program.ts"
import { RawClient } from "../../../test/tools/RawClient.ts"
import { dial, folder, rawListener, real, serve, until } from "./support/network.ts"

/** A file that a listener has left behind: nobody listens there any more. */
const stale = (path: string) =>
  Effect.callback<void>((resume) => {
    const server = net.createServer().listen(`${path}.old`, () => {
      // Node removes the file by its name, which it no longer has.
      renameSync(`${path}.old`, path)
      server.close(() => resume(Effect.void))
    })
  })

const inUse = (path: string) => `listen unix ${path}: the address is in use by another listener`

/** Replaces one of Node's functions on files while the test lasts. */
const patched = <Name extends "link" | "rename">(name: Name, make: (real: (typeof fs)[Name]) => (typeof fs)[Name]) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const real = fs[name]
      fs[name] = make(real)
      syncBuiltinESMExports()
      return real
    }),
    (real) =>
      Effect.sync(() => {
        fs[name] = real
        syncBuiltinESMExports()
      })
  )

const answers = (path: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* dial(`unix://${path}`)
      client.socket.end("hello")
      yield* Effect.promise(() => client.ended())
      return client.text
    })
  )

describe("the file of a Unix socket", () => {
  it.live("is there while the server listens, alone in its folder, and gone when it has drained", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        const path = `${directory}/a.sock`
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* serve(`unix://${path}`)
            assert.deepStrictEqual(readdirSync(directory), ["a.sock"])
            assert.strictEqual(yield* answers(path), "hello")
          })
        )
        assert.deepStrictEqual(readdirSync(directory), [])
      })
    )
  )

  it.live("that is stale is replaced, and nothing is left of it", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        const path = `${directory}/a.sock`
        yield* stale(path)
        const before = lstatSync(path).ino
        yield* serve(`unix://${path}`)
        assert.notStrictEqual(statSync(path).ino, before)
        assert.deepStrictEqual(readdirSync(directory), ["a.sock"])
        assert.strictEqual(yield* answers(path), "hello")
      })
    )
  )

  it.live("of a live listener is left alone", () =>
    real(
      Effect.gen(function* () {
        const path = `${yield* folder}/a.sock`
        const first = yield* serve(`unix://${path}`)
        const error = yield* Effect.flip(serve(`unix://${path}`))
        assert.strictEqual(error.message, inUse(path))
        assert.strictEqual(yield* answers(path), "hello")
        assert.strictEqual(yield* first.drain.isReady, true)
      })
    )
  )

  it.live("has the mode it was given before anybody can connect", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        yield* serve(`unix://${directory}/a.sock`, { mode: 0o600 })
        yield* serve(`unix://${directory}/b.sock`, { mode: 0o666 })
        assert.strictEqual(statSync(`${directory}/a.sock`).mode & 0o777, 0o600)
        assert.strictEqual(statSync(`${directory}/b.sock`).mode & 0o777, 0o666)
      })
    )
  )

  it.live("of a newer server survives the end of the older one", () =>
    real(
      Effect.gen(function* () {
        const path = `${yield* folder}/a.sock`
        const older = yield* Scope.make()
        yield* serve(`unix://${path}`).pipe(Scope.provide(older))
        renameSync(path, `${path}.aside`)
        yield* serve(`unix://${path}`)
        const inode = statSync(path).ino
        yield* Scope.close(older, Exit.void)
        assert.strictEqual(statSync(path).ino, inode)
        assert.strictEqual(yield* answers(path), "hello")
      })
    )
  )

  it.live("that somebody else has removed is no reason to fail at the end", () =>
    real(
      Effect.gen(function* () {
        const path = `${yield* folder}/a.sock`
        const scope = yield* Scope.make()
        yield* serve(`unix://${path}`).pipe(Scope.provide(scope))
        renameSync(path, `${path}.aside`)
        assert.isTrue(Exit.isSuccess(yield* Effect.exit(Scope.close(scope, Exit.void))))
      })
    )
  )

  it.live("is removed before the backlog is handed over, so that nobody comes too late to be served", () =>
    real(
      Effect.gen(function* () {
        const path = `${yield* folder}/a.sock`
        const scope = yield* Scope.make()
        yield* serve(`unix://${path}`).pipe(Scope.provide(scope))
        const client = yield* dial(`unix://${path}`)
        // Somebody connects in every turn of the loop while the server stops; who gets in is served.
        let going = true
        const clients: Array<RawClient> = []
        const knock = () => {
          if (!going) return
          const late = new RawClient(`unix://${path}`)
          late.socket.end("late")
          clients.push(late)
          setImmediate(knock)
        }
        knock()
        client.socket.end("last")
        yield* Scope.close(scope, Exit.void)
        going = false
        const endings = yield* Effect.promise(() => Promise.all(clients.map((late) => late.ended())))
        assert.deepStrictEqual(
          endings.filter(
            (ending, index) => ending !== "ENOENT" && !(ending === "FIN" && clients[index]!.text === "late")
          ),
          []
        )
      })
    )
  )

  it.live("leads to the server from the moment it appears", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        for (let round = 0; round < 20; round++) {
          const path = `${directory}/${round}.sock`
          const eager = Effect.promise(async () => {
            while (true) {
              const client = new RawClient(`unix://${path}`)
              client.socket.end("hello")
              if ((await client.ended()) === "FIN") return client.text
            }
          })
          const [, ...texts] = yield* Effect.all([serve(`unix://${path}`), ...Array.from({ length: 4 }, () => eager)], {
            concurrency: "unbounded"
          })
          assert.deepStrictEqual(new Set(texts), new Set(["hello"]))
        }
      })
    )
  )

  it.live("is removed when the process exits without a word", () =>
    real(
      Effect.gen(function* () {
        const path = `${yield* folder}/a.sock`
        const program = new Program(new URL("fixtures/exits.ts", import.meta.url), { env: { SOCKET: path } })
        yield* Effect.promise(() => program.listening())
        assert.isTrue(existsSync(path))
        program.signal("SIGTERM")
        assert.deepStrictEqual(yield* Effect.promise(() => program.ended()), { code: 3, signal: null })
        assert.isFalse(existsSync(path))
      })
    )
  )
})

describe("what is in the way of a Unix socket", () => {
  it.live("a file of another kind is not touched", () =>
    real(
      Effect.gen(function* () {
        const path = `${yield* folder}/notes.txt`
        writeFileSync(path, "important")
        const error = yield* Effect.flip(serve(`unix://${path}`))
        assert.strictEqual(error.message, `listen unix ${path}: EEXIST: a file that is not a socket lies there`)
        assert.strictEqual(statSync(path).size, 9)
      })
    )
  )

  it.live("a listener whose backlog is full is alive", () =>
    real(
      Effect.gen(function* () {
        const path = `${yield* folder}/a.sock`
        const listener = yield* rawListener({ path, backlog: 1 })
        const clients = Array.from({ length: 4 }, () => new RawClient(listener.url))
        const error = yield* Effect.flip(serve(`unix://${path}`))
        for (const client of clients) client.socket.destroy()
        assert.strictEqual(error.message, inUse(path))
      })
    )
  )
})

describe("several who want the same Unix socket at once", () => {
  it.live("in one process: one has it, the others are told", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        for (let round = 0; round < 20; round++) {
          const path = `${directory}/${round}.sock`
          if (round % 2 === 1) yield* stale(path)
          const three = Array.from({ length: 3 }, () => Effect.result(serve(`unix://${path}`)))
          const results = yield* Effect.all(three, { concurrency: "unbounded" })
          const failures = results.filter(Result.isFailure)
          assert.deepStrictEqual(
            failures.map(({ failure }) => failure.message),
            [inUse(path), inUse(path)]
          )
          assert.strictEqual(yield* answers(path), "hello")
          assert.lengthOf(readdirSync(directory), round + 1)
        }
      })
    )
  )

  it.live("in one process: none moves another's file aside while a third takes its place", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        const path = `${directory}/a.sock`
        yield* stale(path)
        const inode = lstatSync(path).ino
        const turns = async (until: () => boolean) => {
          while (!until()) await new Promise((resolve) => setImmediate(resolve))
        }
        let calls = 0
        let patience = 5000
        let moved = false
        yield* patched("rename", (rename) => async (from, to) => {
          const call = ++calls
          // If all come this far, the first moves the stale file, the second the first one's, and the third nothing.
          if (call === 1) await turns(() => calls === 3 || --patience < 0)
          if (call === 2) await turns(() => existsSync(path) && statSync(path).ino !== inode)
          if (call === 3) await turns(() => moved)
          const second = call === 2
          await rename(from, to)
          moved = second
          if (second) await turns(() => existsSync(path))
        })
        const three = Array.from({ length: 3 }, () => Effect.result(serve(`unix://${path}`)))
        const results = yield* Effect.all(three, { concurrency: "unbounded" })
        assert.lengthOf(results.filter(Result.isSuccess), 1)
        assert.deepStrictEqual(readdirSync(directory), ["a.sock"])
      })
    )
  )

  it.live("in two processes: one has it, the other is told", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        const programs = [1, 2].map(
          () => new Program(new URL("fixtures/contends.ts", import.meta.url), { env: { FOLDER: directory } })
        )
        yield* Effect.addFinalizer(() => Effect.sync(() => programs.forEach((program) => program.kill())))
        for (const program of programs) yield* Effect.promise(() => program.says("ready"))
        for (let round = 0; round < 40; round++) {
          if (round % 2 === 1) yield* stale(`${directory}/${round}.sock`)
          for (const program of programs) program.signal("SIGUSR2")
          for (const program of programs) yield* until(() => program.lines.length === round + 2, `round ${round}`)
          const said = programs.map((program) => program.said[round + 1]!)
          assert.lengthOf(
            said.filter(({ listens }) => listens),
            1,
            `round ${round}: ${JSON.stringify(said)}`
          )
          assert.strictEqual(said.find(({ listens }) => !listens)!["reason"], "AddressInUse")
          yield* Effect.promise(async () =>
            (await RawClient.connect(`unix://${directory}/${round}.sock`)).socket.destroy()
          )
          assert.lengthOf(readdirSync(directory), round + 1)
        }
      })
    )
  )

  it.live("who takes a stale one away and finds that it is another's by now puts it back", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        const path = `${directory}/a.sock`
        yield* stale(path)
        const other = yield* rawListener({ path: `${directory}/other.sock` })
        const inode = statSync(`${directory}/other.sock`).ino
        yield* patched("rename", (rename) => (from, to) => {
          // In the last moment before it is moved.
          if (from === path) renameSync(`${directory}/other.sock`, path)
          return rename(from, to)
        })
        const error = yield* Effect.flip(serve(`unix://${path}`))
        assert.strictEqual(error.message, inUse(path))
        assert.strictEqual(statSync(path).ino, inode)
        assert.deepStrictEqual(readdirSync(directory), ["a.sock"])
        other.close()
      })
    )
  )
})

describe("a file system without links of sockets", () => {
  it.live("has the file renamed into its place, a stale one replaced", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        const path = `${directory}/a.sock`
        yield* stale(path)
        yield* patched("link", () => () => Promise.reject(Object.assign(new Error("not here"), { code: "EPERM" })))
        yield* serve(`unix://${path}`)
        assert.deepStrictEqual(readdirSync(directory), ["a.sock"])
        assert.strictEqual(yield* answers(path), "hello")
      })
    )
  )

  it.live("leaves nothing behind when the file cannot get its place", () =>
    real(
      Effect.gen(function* () {
        const directory = yield* folder
        yield* patched("link", () => () => Promise.reject(Object.assign(new Error("broken"), { code: "EIO" })))
        const error = yield* Effect.flip(serve(`unix://${directory}/a.sock`))
        assert.include(error.message, "EIO")
        yield* until(() => readdirSync(directory).length === 0, "the temporary file is gone")
      })
    )
  )
})
