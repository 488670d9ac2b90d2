/** Forms with files. */
import { Effect, FileSystem, Schema, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse, Multipart } from "effect/http"
import { existsSync } from "node:fs"
import { both } from "../contract/Row.ts"
import { ask, lines } from "./client.ts"
import { all, type Row } from "./Row.ts"
import { answering, type App } from "./world.ts"

const boundary = "edge"

const body = lines(
  `--${boundary}`,
  `Content-Disposition: form-data; name="name"`,
  "",
  "ada",
  `--${boundary}`,
  `Content-Disposition: form-data; name="file"; filename="a.txt"`,
  "Content-Type: text/plain",
  "",
  "the content",
  `--${boundary}--`,
  ""
)

const question = {
  method: "POST",
  headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
  body
}

const asked = (what: string, app: App, expected: readonly [status: number, body: string], sent = question): Row => ({
  what,
  over: all,
  see: (world) =>
    Effect.gen(function* () {
      const { body, status } = yield* ask(yield* world.serve(app), "/", sent)
      return [status, body]
    }),
  expected: both(expected)
})

/** The parts, with what is in them. */
const persisted = answering((request) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const parts = yield* request.multipart
    const file = (parts["file"] as ReadonlyArray<Multipart.PersistedFile>)[0]!
    const content = yield* files.readFileString(file.path)
    return HttpServerResponse.jsonUnsafe([parts["name"], file.name, file.contentType, content])
  })
)

const streamed = answering((request) =>
  request.multipartStream.pipe(
    Stream.mapEffect((part) =>
      Multipart.isField(part)
        ? Effect.succeed(`${part.key}=${part.value}`)
        : Effect.map(part.contentEffect, (content) => `${part.key}=${part.name}: ${new TextDecoder().decode(content)}`)
    ),
    Stream.runCollect,
    Effect.map((parts) => HttpServerResponse.text(parts.join(", ")))
  )
)

const tooLarge = Effect.provideContext(persisted, Multipart.limitsServices({ maxFileSize: 4 }))

export const multipart: ReadonlyArray<Row> = [
  asked("kept in files", persisted, [200, `["ada","a.txt","text/plain","the content"]`]),
  asked("as a stream of parts", streamed, [200, "name=ada, file=a.txt: the content"]),
  asked(
    "of a schema",
    Effect.map(
      HttpServerRequest.schemaBodyMultipart(Schema.Struct({ name: Schema.String, file: Multipart.SingleFileSchema })),
      ({ file, name }) => HttpServerResponse.text(`${name} ${file.name}`)
    ),
    [200, "ada a.txt"]
  ),
  asked(
    "not of the schema",
    HttpServerRequest.schemaBodyMultipart(Schema.Struct({ age: Schema.String })).pipe(
      Effect.as(HttpServerResponse.empty())
    ),
    [400, ""]
  ),
  asked("a file that is too large", tooLarge, [413, ""]),
  asked("an end that is missing", streamed, [400, ""], { ...question, body: body.slice(0, -20) }),
  asked("another type", streamed, [400, ""], { ...question, headers: { "content-type": "text/plain" } }),
  {
    what: "files are gone behind the answer",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        let path = ""
        const app = answering((request) =>
          Effect.map(request.multipart, (parts) => {
            path = (parts["file"] as ReadonlyArray<Multipart.PersistedFile>)[0]!.path
            return HttpServerResponse.empty()
          })
        )
        const listening = yield* world.serve(app)
        yield* ask(listening, "/", question)
        // The request's scope ends behind its answer.
        yield* listening.close
        return { had: path !== "", has: existsSync(path) }
      }),
    expected: both({ had: true, has: false })
  }
]
