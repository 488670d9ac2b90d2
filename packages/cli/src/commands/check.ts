/** `finwait check`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { constants, existsSync } from "node:fs"
import { access, readFile, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { type Given, optionsOf, WrongArguments } from "./arguments.ts"
import { check } from "../check/check.ts"
import { Lines } from "../check/progress.ts"
import { promised } from "./exits.ts"
import { messageOf } from "../messageOf.ts"
import { compare } from "../report/compare.ts"
import { html } from "../report/html.ts"
import { junit } from "../report/junit.ts"
import * as Report from "../report/Report.ts"
import { table } from "../report/table.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

const list = (name: string, description: string) =>
  text(name, description).pipe(
    Flag.map((value) => (value === undefined ? [] : value.split(",").filter((id) => id !== "")))
  )

const number = (name: string, description: string, otherwise: number) =>
  Flag.Int(name).pipe(Flag.withDescription(`${description} (${otherwise})`), Flag.withDefault(otherwise))

const flags = {
  http: text(
    "http",
    "paths of a slow, a large and an upload request, with commas between: /slow,/large,/upload; or by name: slow=/work"
  ),
  profile: Flag.Literals("profile", ["http", "http2", "websocket", "line", "raw"]).pipe(
    Flag.withDescription("what the server speaks (http)"),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  ),
  script: text("script", "a file that says what is sent and what comes back, for line, raw and websocket"),
  ws: text("ws", "the path of a WebSocket, for the profile websocket"),
  subprotocol: text("subprotocol", "the WebSocket subprotocol that is offered"),
  port: Flag.Int("port").pipe(
    Flag.withDescription("where it listens; without it a free one, which the server is told by PORT and {port}"),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  ),
  host: Flag.String("host").pipe(Flag.withDescription("where it listens (127.0.0.1)"), Flag.withDefault("127.0.0.1")),
  unix: text("unix", "the path of the Unix socket where it listens"),
  tls: Flag.Boolean("tls").pipe(
    Flag.withDescription("over TLS; any certificate will do without --ca"),
    Flag.withDefault(false)
  ),
  ca: text("ca", "a file of certificates to trust, PEM"),
  servername: text("servername", "the name to ask for by TLS (localhost)"),
  allowRemote: Flag.Boolean("allow-remote").pipe(
    Flag.withDescription("a --host that is another machine"),
    Flag.withDefault(false)
  ),
  capture: Flag.Boolean("capture").pipe(
    Flag.withDescription("counts FIN and RST on the wire as well, by tcpdump, which needs the right to"),
    Flag.withDefault(false)
  ),
  signal: Flag.String("signal").pipe(
    Flag.withDescription("what tells it to stop, such as SIGQUIT or quit (SIGTERM)"),
    Flag.withDefault("SIGTERM")
  ),
  only: list("only", "these scenarios only: S1,S3"),
  skip: list("skip", "all but these"),
  repeat: number("repeat", "plays each scenario so many times; the worst counts", 1),
  connections: number("connections", "how many idle connections S8 has", 1000),
  name: text("name", "what it is called in reports"),
  prompt: text("prompt", "what has nothing to wait for is over within this (500ms)"),
  late: text("late", "longer than this is a failure there (5s)"),
  deadline: text("deadline", "a drain with clients that do not cooperate is over within this (20s)"),
  grace: text("grace", "then it is killed, as your platform does (30s)"),
  start: text("start", "how long it may take to listen (10s)"),
  close: text("close", "within this the close of one connection that is not read is given up on (65s)"),
  rest: text("rest", "how long a connection of HTTP is idle before the signal (1.2s)"),
  json: text("json", "writes the report as JSON; - is the standard output"),
  junit: text("junit", "writes it as JUnit's XML"),
  html: text("html", "writes it as a page, with a timeline for each connection"),
  failOn: Flag.Literals("fail-on", Report.failOn).pipe(
    Flag.withDescription("what makes exit code 1 and a failure of JUnit: this, and what is worse (not-run)"),
    Flag.withDefault("not-run" as const)
  ),
  compare: Flag.Boolean("compare").pipe(
    Flag.withDescription("shows two reports side by side: finwait check --compare A.json B.json"),
    Flag.withDefault(false)
  ),
  files: Argument.String("report").pipe(Argument.variadic())
}

const reportOf = (file: string) =>
  Effect.gen(function* () {
    const json = yield* Effect.tryPromise({
      try: () => readFile(file, "utf8"),
      catch: (cause) => new WrongArguments(`${file}: ${messageOf(cause)}`)
    })
    return yield* Effect.mapError(
      Report.decode(json),
      (error) => new WrongArguments(`${file} is no report of finwait check: ${error.message}`)
    )
  })

const write = (file: string | undefined, option: string, content: () => string) =>
  file === undefined
    ? Effect.void
    : Effect.tryPromise({
        try: async () => {
          if (file === "-") process.stdout.write(content())
          else await writeFile(file, content())
        },
        catch: (cause) => new WrongArguments(`--${option} ${file}: ${messageOf(cause)}`)
      })

/** Said before the check, not behind an hour of it. */
const canWrite = (file: string | undefined, option: string) =>
  file === undefined || file === "-"
    ? Effect.void
    : Effect.tryPromise({
        // What is there already, such as /dev/stdout, may be written where its folder may not.
        try: () => access(existsSync(file) ? file : dirname(file), constants.W_OK),
        catch: (cause) => new WrongArguments(`--${option} ${file}: ${messageOf(cause)}`)
      })

/** What is found is worth nothing to who does not know what to do about it. */
const howToMend = ({ rows }: Report.Report): string => {
  const ids = rows.filter(({ verdict }) => verdict === "fail" || verdict === "warn").map(({ id }) => id)
  return ids.length === 0 ? "" : `What these mean, and how to mend them: finwait explain ${ids.join(" ")}\n`
}

/** `command`: what stands behind `--`. */
export const checkCommand = (command: ReadonlyArray<string>) =>
  Command.make(
    "check",
    flags,
    Effect.fnUntraced(function* ({ files, ...given }) {
      if (given.compare) {
        const [first, second] = files
        if (first === undefined || second === undefined || files.length > 2) {
          return yield* Effect.fail(new WrongArguments("--compare needs two reports: --compare A.json B.json"))
        }
        process.stdout.write(`${compare(yield* reportOf(first), yield* reportOf(second))}\n`)
        return
      }
      if (files.length > 0) {
        const say = `what is "${files[0]}"? The server's command comes behind --: finwait check -- ${files.join(" ")}`
        return yield* Effect.fail(new WrongArguments(say))
      }
      const { close, deadline, grace, late, prompt, rest, start, ...others } = given
      const times = { close, deadline, grace, late, prompt, rest, start }
      const options = yield* promised(() => optionsOf({ ...others, command, times } as Given))
      for (const option of ["json", "junit", "html"] as const) yield* canWrite(given[option], option)
      const lines = new Lines(process.stderr, options.repeat)
      process.stderr.write(`${options.command.words.join(" ")}\n`)
      const report = yield* Effect.ensuring(
        promised((signal) => check(options, lines, signal)),
        Effect.sync(() => lines.end())
      )
      if (given.json !== "-") process.stdout.write(`\n${table(report)}\n${howToMend(report)}`)
      process.exitCode = report.rows.some(({ verdict }) => Report.failsBy(given.failOn, verdict)) ? 1 : 0
      // One that cannot be written keeps none of the others from being.
      const written = yield* Effect.all(
        [
          write(given.json, "json", () => `${JSON.stringify(report, null, 2)}\n`),
          write(given.junit, "junit", () => junit(report, { failOn: given.failOn })),
          write(given.html, "html", () => html(report))
        ],
        { mode: "result" }
      )
      for (const result of written) yield* Effect.fromResult(result)
    })
  ).pipe(
    Command.withDescription(
      "Starts a server, puts clients on it, tells it to stop, and says what they lived through. Exit code 0: everything passed; 1: findings (--fail-on); 2: it did not start, or the arguments are wrong."
    ),
    Command.withExamples([
      { command: "finwait check --port 3000 -- node server.js", description: "A server of HTTP" },
      {
        command: "finwait check --http /slow,/download --port 8080 --signal SIGQUIT -- nginx -g 'daemon off;'",
        description: "With paths for a slow and a large answer, and another signal"
      },
      { command: "finwait check --profile line --html report.html -- ./my-server", description: "A server of lines" }
    ])
  )
