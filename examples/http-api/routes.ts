/** What the server does. Nothing here knows that it may be told to stop. */
import { Effect, Layer, Ref, Schedule, Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"

const Note = Schema.Struct({ text: Schema.String })

const notes = Layer.unwrap(
  Effect.gen(function* () {
    const notes = yield* Ref.make<ReadonlyArray<typeof Note.Type>>([])
    const all = Effect.flatMap(Ref.get(notes), (all) => HttpServerResponse.json(all))
    const add = Effect.gen(function* () {
      const note = yield* HttpServerRequest.schemaBodyJson(Note)
      yield* Ref.update(notes, (all) => [...all, note])
      return yield* HttpServerResponse.json(note, { status: 201 })
    })
    return Layer.merge(HttpRouter.add("GET", "/notes", all), HttpRouter.add("POST", "/notes", add))
  })
)

/** Takes as long as it is told to, as a large report would. */
const jobs = HttpRouter.add(
  "POST",
  "/jobs",
  Effect.gen(function* () {
    const { millis } = yield* HttpServerRequest.schemaBodyJson(Schema.Struct({ millis: Schema.Number }))
    yield* Effect.logInfo(`job of ${millis} ms`)
    yield* Effect.sleep(millis)
    return yield* HttpServerResponse.json({ worked: millis, by: process.pid })
  })
)

const uploadBytesMax = 8 * 1024 * 1024

/** Counts what it is sent. Who announces too much is refused before he has sent it. */
const uploads = HttpRouter.add("PUT", "/uploads", (request) =>
  Number(request.headers["content-length"] ?? 0) > uploadBytesMax
    ? HttpServerResponse.json({ bytesMax: uploadBytesMax }, { status: 413 })
    : request.stream.pipe(
        Stream.tap((chunk) => Effect.logDebug(`${chunk.length} bytes`)),
        Stream.runFold(
          () => 0,
          (bytes, chunk) => bytes + chunk.length
        ),
        Effect.flatMap((bytes) => HttpServerResponse.json({ bytes }))
      )
)

const megabyte = 1024 * 1024
const megabytes = 24

const download = HttpRouter.add(
  "GET",
  "/download",
  HttpServerResponse.stream(
    Stream.map(Stream.range(1, megabytes), (n) => new Uint8Array(megabyte).fill(n)),
    { contentLength: megabytes * megabyte }
  )
)

const events = HttpRouter.add(
  "GET",
  "/events",
  HttpServerResponse.stream(
    Stream.fromSchedule(Schedule.spaced("100 millis")).pipe(
      Stream.map((n) => `data: ${n}\n\n`),
      Stream.encodeText
    ),
    { contentType: "text/event-stream" }
  )
)

/** A WebSocket that sends back what it is sent, until its client or a drain ends it. */
const echo = HttpRouter.add("GET", "/echo", (request) =>
  Effect.gen(function* () {
    const socket = yield* request.upgrade
    const { writeAll } = yield* socket.writer
    const { pull } = yield* socket.reader
    yield* Effect.ignore(Effect.forever(Effect.flatMap(pull, writeAll)))
    return HttpServerResponse.empty()
  })
)

export const routes = Layer.mergeAll(notes, jobs, uploads, download, events, echo)
