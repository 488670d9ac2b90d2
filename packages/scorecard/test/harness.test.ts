/**
 * A scorecard on which everything is good proves nothing until it has said no. Here it looks at servers whose faults are
 * known: Effect's own, plain `node:net` and `node:http`, and ours with limits that are too short. Where a server would hang, it is given up early.
 */
import { assert, describe, it } from "vitest"
import { Gate, type Outcome, type RunOptions, scenarios } from "../src/index.ts"

// For those that would not end: long enough to be sure, since a server that ends does so at once.
const givenUp = { capSeconds: 2 }
const gate = new Gate()

const play = (subject: string, id: string, options?: RunOptions): Promise<Outcome> => {
  const scenario = scenarios.find((scenario) => scenario.id === id)
  assert(scenario !== undefined)
  return gate.play(scenario, subject, options)
}

/** It says no, and for this reason. */
const saysNo = async (subject: string, id: string, reason: RegExp, options?: RunOptions): Promise<Outcome> => {
  const outcome = await play(subject, id, options)
  assert.isFalse(outcome.verdict.ok)
  assert.match(outcome.verdict.problems.join("\n"), reason)
  return outcome
}

describe("the scorecard says no", { timeout: 30_000 }, () => {
  it.concurrent("to work in flight that is lost", async () => {
    const { result } = await saysNo("effect", "S1", /answer not whole \(0 of 10 bytes\)/)
    assert.strictEqual(result.clients[0]?.ending, "FIN")
  })

  it.concurrent("to a process that a stalled peer keeps alive", async () => {
    const { result } = await saysNo("effect", "S3", /still running/, givenUp)
    assert.isTrue(result.killed)
    // What the kill does to the client is our doing, not the server's.
    assert.strictEqual(result.clients[0]?.ending, "open")
  })

  it.concurrent("to answers that are cut off by the input nobody read", async () => {
    const { result } = await saysNo("effect", "S4late", /100 of 100 clients: answer not whole/)
    assert.isTrue(result.clients.every((client) => client.ending === "RST" && client.receivedBytes > 0))
  })

  it.concurrent("to a backlog that is reset", () => saysNo("node", "S7", /20 backlog: answer not whole/).then(nothing))

  it.concurrent("to latecomers that are taken in and forgotten", () =>
    saysNo("effect", "S7b", /5 of 5 latecomer: ended by (open|FIN|RST)/).then(nothing))

  it.concurrent("to finalizers that run one after the other", () =>
    saysNo("effect", "S10", /still running/, givenUp).then(nothing))

  it.concurrent("to an exit code that is never 0", () =>
    saysNo("effect", "S2b", /^exit code 130, not 0$/).then(nothing))

  it.concurrent("to a call that is interrupted", () =>
    saysNo("effect-rpc", "S1", /answer not whole \(.* in its place: Interrupt\)/).then(nothing))

  it.concurrent("to a WebSocket that is closed without a code", () =>
    saysNo("effect-websocket", "S2d", /it was told close 1005, not close 1001/).then(nothing))

  it.concurrent("to a WebSocket that waits for ever for the answer to its close frame", () =>
    saysNo("effect-websocket", "S5", /still running/, givenUp).then(nothing))

  it.concurrent("to a server that waits for ever for a handshake", () =>
    saysNo("effect-tls", "S2b", /1 of 1 silent: ended by open, not FIN/, givenUp).then(nothing))

  it.concurrent("to HTTP answers that are cut off by the upload nobody read", () =>
    saysNo("node-http", "S4late", /of 100 clients: answer not whole/).then(nothing))

  it.concurrent("to keep-alive clients that are never told", () =>
    saysNo("node-http", "S2e", /clients that were not told which answer is the last: 5/, { capSeconds: 4 }).then(
      nothing
    ))

  it.concurrent("to half a request of HTTP that is not answered", () =>
    saysNo("node-http", "S2c", /it was answered nothing, not 408/, givenUp).then(nothing))

  it.concurrent("to an HTTP answer that comes after its time", () =>
    saysNo("finwait-http", "S1", /answer not whole \(.* in its place: 503\)/, { limits: { DRAIN_MS: 200 } }).then(
      nothing
    ))

  it.concurrent("to a stream of HTTP/2 that comes after its time", () =>
    saysNo("finwait-http2", "S1", /answer not whole \(.* in its place: 503\)/, { limits: { DRAIN_MS: 200 } }).then(
      nothing
    ))

  it.concurrent("to an upgraded WebSocket that is not told", () =>
    saysNo("effect-http-websocket", "S2a", /1 of 1 clients: ended by open, not FIN/, givenUp).then(nothing))

  it.concurrent("to a socket that outlives its scope", async () => {
    const { result } = await saysNo("effect", "S11", /connections open after the close deadline/, givenUp)
    if (process.platform === "linux") assert.strictEqual(result.facts["socketsLeaked"], 1)
  })
})

describe("the scorecard says yes", { timeout: 30_000 }, () => {
  it.concurrent("to what plain node:net does well", async () => {
    const outcomes = await Promise.all(["S1", "S2a", "S2b", "S7b"].map((id) => play("node", id)))
    assert.deepStrictEqual(
      outcomes.flatMap(({ verdict }) => verdict.problems),
      []
    )
  })

  it.concurrent("does not play what has no meaning for the subject, and says why", async () => {
    const { doesNotApply, result, verdict } = await play("node", "S2d")
    assert.match(doesNotApply ?? "", /no close frame in TCP/)
    assert.deepStrictEqual([verdict.ok, result.clients], [true, []])
  })
})

const nothing = () => {}
