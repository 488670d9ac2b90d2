/**
 * A server of WebSockets, and a client that nobody here has written a library for: `pythonClient.py` shakes hands and
 * makes its frames by itself, on Python's standard library. Without `python3` this is skipped, and says so.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type { CloseOutcome } from "finwait/CloseOutcome"
import type { Network } from "finwait/Network"
import * as Server from "finwait/Server"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { join } from "node:path"
import { Watch } from "../tools/Watch.ts"

const hasPython = spawnSync("python3", ["--version"]).status === 0
const note = hasPython ? "" : " (skipped here, there is no python3)"

/** Only tells an end from a hang. */
const boundMillis = 12_000

/** The client, as a process: what it tells, and how it ends. */
class Client {
  private readonly child: ChildProcess
  private output = ""
  private errors = ""
  private code: number | null | undefined
  private readonly watch = new Watch()

  constructor(port: number, mode: string) {
    this.child = spawn("python3", [join(import.meta.dirname, "pythonClient.py"), `${port}`, mode])
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.output += text
      this.watch.changed()
    })
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.errors += text))
    this.child.once("close", (code) => {
      this.code = code
      this.watch.changed()
    })
  }

  get told(): ReadonlyArray<Record<string, unknown>> {
    return this.output
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  }

  private until(condition: () => boolean, what: string) {
    return Effect.promise(() => this.watch.until(condition, boundMillis, () => `${what}: ${this.output}${this.errors}`))
  }

  tells(lines: number) {
    return this.until(() => this.told.length >= lines, `${lines} lines`)
  }

  /** All that it has told behind its handshake, once it has ended. */
  get story() {
    return Effect.map(
      this.until(() => this.code !== undefined, "it ends"),
      () => {
        assert.strictEqual(this.code, 0, this.errors)
        const [first, ...rest] = this.told
        assert.deepStrictEqual(first, { status: "HTTP/1.1 101 Switching Protocols", accepted: true })
        return rest
      }
    )
  }

  kill(): void {
    this.child.kill("SIGKILL")
  }
}

const echo: Server.Options<any, never>["handler"] = (connection) =>
  NodeWebSocket.each(connection, (message) => connection.write(message))

/** A server, its client, and what became of the connection between them. */
const played = Effect.fnUntraced(function* (mode: string, options: Partial<Server.Options<any, never>> = {}) {
  const outcomes: Array<CloseOutcome> = []
  const { handler = echo } = options
  const { address, drain } = yield* Server.make({
    listen: "tcp://127.0.0.1:0",
    ...options,
    handler: (connection) =>
      Effect.andThen(
        Effect.forkDetach(Effect.map(connection.outcome, (outcome) => outcomes.push(outcome))),
        handler(connection)
      )
  })
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Client((address as { readonly port: number }).port, mode)),
    (client) => Effect.sync(() => client.kill())
  )
  return { client, drain, outcomes }
})

const plays = (program: Effect.Effect<void, unknown, Network | Scope.Scope>) =>
  program.pipe(Effect.scoped, Effect.provide(Layer.merge(NodeWebSocket.layer(), Logger.layer([]))))

describe.skipIf(!hasPython)(`a client in Python${note}`, () => {
  it.live("is told 1001 and why when the server drains, answers, and then hears the server's FIN", () =>
    plays(
      Effect.gen(function* () {
        const { client, drain, outcomes } = yield* played("answers")
        yield* client.tells(2)
        const report = yield* drain.begin
        assert.deepStrictEqual(yield* client.story, [
          { message: "hello" },
          { goodbye: 1001, reason: "going away" },
          { answered: 1001 },
          { end: "FIN", behind: 0 }
        ])
        assert.isTrue(report.clean)
        assert.deepStrictEqual(
          outcomes.map(({ _tag, closedFirst }) => [_tag, closedFirst]),
          [["Graceful", "local"]]
        )
      })
    )
  )

  it.live("that never answers is waited for as the policy says", () =>
    plays(
      Effect.gen(function* () {
        const { client, drain, outcomes } = yield* played("mute", { close: { lingerTimeout: "100 millis" } })
        yield* client.tells(1)
        const report = yield* drain.begin
        assert.deepStrictEqual(yield* client.story, [
          { goodbye: 1001, reason: "going away" },
          { end: "FIN", behind: 0 }
        ])
        assert.strictEqual(report.outcomes.LingerExpired, 1)
        assert.deepInclude(outcomes[0], { _tag: "LingerExpired", limit: "lingerTimeout" })
      })
    )
  )

  it.live("that says 4000 and bye hears 4000 and bye", () =>
    plays(
      Effect.gen(function* () {
        const { client, outcomes } = yield* played("says")
        assert.deepStrictEqual(yield* client.story, [
          { goodbye: 4000, reason: "bye" },
          { end: "FIN", behind: 0 }
        ])
        assert.deepStrictEqual(
          outcomes.map(({ _tag, closedFirst }) => [_tag, closedFirst]),
          [["Graceful", "peer"]]
        )
      })
    )
  )

  it.live("that is cut in the middle of a message has the whole ones answered, and ends without a goodbye", () =>
    plays(
      Effect.gen(function* () {
        let ending = ""
        const { client } = yield* played("cut", {
          handler: Effect.fnUntraced(function* (connection) {
            const { write } = yield* connection.writer
            const { pull } = yield* connection.reader
            yield* Effect.forever(Effect.flatMap(pull, ([message]) => write(message))).pipe(
              Effect.catch((error) => Effect.sync(() => (ending = error.message)))
            )
          }, Effect.scoped)
        })
        assert.deepStrictEqual(yield* client.story, [{ message: "whole" }, { end: "FIN", behind: 0 }])
        assert.strictEqual(ending, "1006")
      })
    )
  )

  it.live("that is gone in the middle of a message breaks the connection", () =>
    plays(
      Effect.gen(function* () {
        const { client, drain, outcomes } = yield* played("gone")
        assert.deepStrictEqual(yield* client.story, [{ message: "whole" }])
        yield* drain.begin
        assert.deepInclude(outcomes[0], { _tag: "ResetByPeer", code: "ECONNRESET" })
      })
    )
  )

  it.live("gets frames of every size back as they were, and its ping answered", () =>
    plays(
      Effect.gen(function* () {
        const { client } = yield* played("echo")
        assert.deepStrictEqual(yield* client.story, [
          { echoed: true },
          { goodbye: 1000, reason: "" },
          { end: "FIN", behind: 0 }
        ])
      })
    )
  )
})
