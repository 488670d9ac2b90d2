/** Clients that go away. */
import { Cause, Deferred, Effect, Exit, Stream } from "effect"
import { HttpRouter, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { IncomingMessage } from "node:http"
import { constants } from "node:http2"
import type { RawClient } from "../../tools/RawClient.ts"
import { both } from "../contract/Row.ts"
import { turns } from "../contract/world.ts"
import { ask, get, hears, lines, raw, sends, session } from "./client.ts"
import { http2, type Row } from "./Row.ts"
import { answering, type App, type World } from "./world.ts"

/** How it was interrupted. */
const word = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  if (!Cause.hasInterrupts(exit.cause)) return "failure"
  const byClient = exit.cause.reasons.some(
    (reason) => reason._tag === "Interrupt" && reason.annotations.has(HttpServerError.ClientAbort.key)
  )
  return byClient ? "interrupted by the client" : "interrupted"
}

const leaves: Record<"FIN" | "RST", (client: RawClient) => void> = {
  FIN: ({ socket }) => socket.end(),
  RST: ({ socket }) => socket.resetAndDestroy()
}

/** As a router runs its handlers. */
const watched = (app: App, over: Deferred.Deferred<string>): App =>
  Effect.interruptible(Effect.onExit(app, (exit) => Deferred.succeed(over, word(exit))))

/** A client that has sent this goes away once the application has said that it waits. */
const leaving = Effect.fnUntraced(function* (
  world: World,
  bytes: string,
  leave: (client: RawClient) => void,
  app: (waits: Effect.Effect<unknown>) => App
) {
  const waits = yield* Deferred.make<void>()
  const over = yield* Deferred.make<string>()
  const observed = watched(app(Deferred.succeed(waits, void 0)), over)
  const client = yield* raw(yield* world.serve(observed))
  yield* sends(client, bytes)
  yield* Deferred.await(waits)
  leave(client)
  return yield* Deferred.await(over)
})

const gone = (
  what: string,
  bytes: string,
  app: (waits: Effect.Effect<unknown>) => App,
  expected: string
): ReadonlyArray<Row> =>
  (["FIN", "RST"] as const).map((how) => ({
    what: `${what}: ${how}`,
    over: ["http"],
    see: (world) => leaving(world, bytes, leaves[how], app),
    expected: both(expected)
  }))

const byClient = "interrupted by the client"

const half = lines("POST / HTTP/1.1", "Host: a", "Content-Length: 10", "", "half")

const endless = (waits: Effect.Effect<unknown>) =>
  Stream.concat(Stream.make(new TextEncoder().encode("begun")), Stream.fromEffect(Effect.andThen(waits, Effect.never)))

/** How a handler ends that waits until its connection is gone, and for a while more. */
const outlasting = (serve: (world: World, handler: App) => ReturnType<World["serve"]>) => (world: World) =>
  Effect.gen(function* () {
    const waits = yield* Deferred.make<void>()
    const over = yield* Deferred.make<string>()
    const handler = HttpServerRequest.HttpServerRequest.use(({ source }) => {
      const gone = Effect.callback<void>((resume) => {
        ;(source as IncomingMessage).socket.once("close", () => resume(Effect.void))
      })
      return Deferred.succeed(waits, void 0).pipe(
        Effect.andThen(gone),
        Effect.andThen(turns),
        Effect.as(HttpServerResponse.empty()),
        Effect.onExit((exit) => Deferred.succeed(over, word(exit)))
      )
    })
    const client = yield* raw(yield* serve(world, handler))
    yield* sends(client, get("/"))
    yield* Deferred.await(waits)
    leaves.RST(client)
    return yield* Deferred.await(over)
  })

const add = (uninterruptible: boolean) => (world: World, handler: App) =>
  world.route(
    HttpRouter.add("GET", "/", handler as Effect.Effect<HttpServerResponse.HttpServerResponse>, { uninterruptible })
  )

export const interrupting: ReadonlyArray<Row> = [
  ...gone("a handler that works is interrupted", get("/"), (waits) => Effect.andThen(waits, Effect.never), byClient),
  ...gone(
    "a handler that waits for the rest of a body is interrupted",
    half,
    (waits) => answering((request) => Effect.andThen(waits, Effect.as(request.text, HttpServerResponse.empty()))),
    byClient
  ),
  ...gone(
    "a handler that works, and has half of a body, is interrupted",
    half,
    (waits) => Effect.andThen(waits, Effect.never),
    byClient
  ),
  ...gone(
    "a handler that cannot be interrupted goes on",
    get("/"),
    (waits) =>
      Effect.uninterruptible(Effect.andThen(waits, Effect.as(Effect.yieldNow, HttpServerResponse.text("to nobody")))),
    "success"
  ),
  ...(["FIN", "RST"] as const).map((how): Row => ({
    what: `an answer that is streamed is interrupted: ${how}`,
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const over = yield* Deferred.make<string>()
        const body = Stream.onExit(endless(Effect.void), (exit) => Deferred.succeed(over, word(exit)))
        const client = yield* raw(yield* world.serve(Effect.succeed(HttpServerResponse.stream(body))))
        yield* sends(client, get("/"))
        yield* hears(client, "begun")
        leaves[how](client)
        return yield* Deferred.await(over)
      }),
    expected: both(byClient)
  })),
  {
    what: "a router's handler is interrupted",
    over: ["http"],
    see: outlasting(add(false)),
    expected: both(byClient)
  },
  {
    what: "a router's handler that is not to be interrupted goes on",
    over: ["http"],
    see: outlasting(add(true)),
    expected: both("success")
  },
  {
    what: "an application that is no router, and does not say that it may be interrupted",
    over: ["http"],
    see: outlasting((world, handler) => world.serve(handler)),
    expected: both("success")
  },
  {
    what: "middleware sees 499",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const waits = yield* Deferred.make<void>()
        const status = yield* Deferred.make<number>()
        const listening = yield* world.serve(
          Effect.interruptible(Effect.andThen(Deferred.succeed(waits, void 0), Effect.never)),
          {
            middleware: (app) =>
              Effect.onExit(app, (exit) => Deferred.succeed(status, HttpServerError.exitResponse(exit).status))
          }
        )
        const client = yield* raw(listening)
        yield* sends(client, get("/"))
        yield* Deferred.await(waits)
        leaves.RST(client)
        return yield* Deferred.await(status)
      }),
    expected: both(499)
  },
  {
    what: "the others are served on",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const waits = yield* Deferred.make<void>()
        const over = yield* Deferred.make<void>()
        const app = answering(({ url }) =>
          url === "/gone"
            ? Effect.interruptible(
                Effect.ensuring(
                  Effect.andThen(Deferred.succeed(waits, void 0), Effect.never),
                  Deferred.succeed(over, void 0)
                )
              )
            : Effect.as(Deferred.await(over), HttpServerResponse.text("served"))
        )
        const listening = yield* world.serve(app)
        const client = yield* raw(listening)
        yield* sends(client, get("/gone"))
        yield* Deferred.await(waits)
        leaves.RST(client)
        return (yield* ask(listening, "/other")).body
      }),
    expected: both("served")
  },
  {
    what: "of requests that came at once, all are interrupted",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const begun = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const over = [yield* Deferred.make<string>(), yield* Deferred.make<string>()]
        const app = answering(({ url }) => {
          const at = Number(url.slice(1))
          return watched(Effect.andThen(Deferred.succeed(begun[at]!, void 0), Effect.never), over[at]!)
        })
        const client = yield* raw(yield* world.serve(app))
        yield* sends(client, get("/0") + get("/1"))
        yield* Effect.forEach(begun, (one) => Deferred.await(one))
        leaves.RST(client)
        return yield* Effect.forEach(over, (one) => Deferred.await(one))
      }),
    expected: both([byClient, byClient])
  },
  {
    what: "a stream that is cancelled interrupts its handler",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const waits = yield* Deferred.make<void>()
        const over = yield* Deferred.make<string>()
        const app = watched(Effect.andThen(Deferred.succeed(waits, void 0), Effect.never), over)
        const client = yield* session(yield* world.serve(app))
        const stream = client.request({ ":path": "/" })
        stream.on("error", () => {})
        yield* Deferred.await(waits)
        stream.close(constants.NGHTTP2_CANCEL)
        return yield* Deferred.await(over)
      }),
    expected: both(byClient)
  },
  {
    what: "a session that is destroyed interrupts its handlers",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const waits = yield* Deferred.make<void>()
        const over = yield* Deferred.make<string>()
        const app = watched(Effect.andThen(Deferred.succeed(waits, void 0), Effect.never), over)
        const client = yield* session(yield* world.serve(app))
        client.request({ ":path": "/" }).on("error", () => {})
        yield* Deferred.await(waits)
        client.destroy()
        return yield* Deferred.await(over)
      }),
    expected: both(byClient)
  }
]
