/**
 * One set of behaviours of an HTTP server, on Effect's own and on Finwait's. Each row says what both do; or what each does,
 * and why they differ: the rows with a reason (`because`) are all the differences that there are on purpose.
 */
import { Effect, References } from "effect"
import { assert, describe, it } from "vitest"
import { within } from "../../packages/cli/src/Waiting.ts"
import { answers } from "./http/answers.ts"
import { bodies } from "./http/bodies.ts"
import { closing } from "./http/closing.ts"
import { continuing } from "./http/continuing.ts"
import { earlyAnswers } from "./http/early.ts"
import { failing } from "./http/failing.ts"
import { headers } from "./http/headers.ts"
import { onlyHttp2 } from "./http/http2.ts"
import { interrupting } from "./http/interrupting.ts"
import { keeping } from "./http/keeping.ts"
import { layers } from "./http/layers.ts"
import { limits } from "./http/limits.ts"
import { multipart } from "./http/multipart.ts"
import { nodeServer } from "./http/nodeServer.ts"
import { routing } from "./http/routing.ts"
import type { Row } from "./http/Row.ts"
import { serving } from "./http/serving.ts"
import { upgrading } from "./http/upgrading.ts"
import { webSocket } from "./http/webSocket.ts"
import { webSocketHandshake } from "./http/webSocketHandshake.ts"
import { effects, finwaits, type Protocol, type Servers, world } from "./http/world.ts"

/** Only tells an end from a hang. */
const boundMillis = 10_000

const observe = (row: Row, servers: Servers, protocol: Protocol): Promise<unknown> => {
  // What is logged is not looked at.
  const seeing = Effect.provideService(row.see(world(servers, protocol)), References.CurrentLoggers, new Set())
  return within(boundMillis, Effect.runPromise(Effect.scoped(seeing)), `${servers.name} server`)
}

const groups = {
  routing,
  answers,
  headers,
  bodies,
  multipart,
  continuing,
  "early answers": earlyAnswers,
  keeping,
  failing,
  interrupting,
  WebSocket: webSocket,
  "handshakes of WebSockets": webSocketHandshake,
  upgrading,
  limits,
  "only HTTP/2": onlyHttp2,
  serving,
  closing,
  layers,
  "Node's server": nodeServer
}

const rows = Object.entries(groups).flatMap(([group, rows]) =>
  rows.flatMap((row) => row.over.map((protocol) => ({ group, row, protocol, name: `${protocol}: ${row.what}` })))
)

describe.each(Object.keys(groups))("%s", (name) => {
  for (const { group, name: test, protocol, row } of rows) {
    if (group !== name) continue
    it(test, { timeout: 2 * boundMillis + 1000 }, async () => {
      const expected = row.expected(protocol)
      const [effect, finwait] =
        "both" in expected ? [expected.both, expected.both] : [expected.effect, expected.finwait]
      assert.deepStrictEqual(await observe(row, effects, protocol), effect)
      assert.deepStrictEqual(await observe(row, finwaits, protocol), finwait)
    })
  }
})

describe("the table", () => {
  it("has each behaviour once", () => {
    const names = rows.map(({ group, name }) => `${group}, ${name}`)
    assert.deepStrictEqual(names, [...new Set(names)])
  })

  it("calls a difference what is one", () => {
    for (const { name, protocol, row } of rows) {
      const expected = row.expected(protocol)
      if ("because" in expected) assert.notDeepEqual(expected.effect, expected.finwait, name)
    }
  })
})
