/** What a client has to have heard before the FIN, by what it speaks. */
import { assert, describe, it } from "vitest"
import { type ClientRecord, endingOf, type Seen } from "@finwait/cli/clients/ClientRecord"
import type { WireName } from "../src/clients/wires.ts"
import * as judging from "../src/judging.ts"
import type { Result } from "../src/Scenario.ts"

const record = (wire: WireName, seen: ReadonlyArray<Seen>, trouble: string | null = null): ClientRecord => ({
  group: "client",
  wire,
  expectedBytes: 0,
  receivedBytes: 0,
  whole: true,
  instead: [],
  ending: endingOf(seen),
  seen,
  millis: 0,
  trouble
})

const judge = (expected: Parameters<typeof judging.clients>[0], client: ClientRecord) =>
  judging.clients(expected)({ clients: [client] } as unknown as Result)

describe("a FIN", () => {
  it.each<[WireName, ...ReadonlyArray<Seen>]>([
    ["socket-tcp", "FIN"],
    ["rpc-tcp", "FIN"],
    ["socket-tls", "close_notify", "FIN"],
    ["socket-websocket", "close 1001", "FIN"],
    ["rpc-websocket", "close 1000", "FIN"]
  ])("is good over %s behind the goodbye", (wire, ...seen) => {
    assert.deepStrictEqual(judge({ ending: "FIN" }, record(wire, seen)), [])
  })

  it.each<[WireName, ...ReadonlyArray<Seen>]>([
    ["socket-tls", "FIN"],
    ["socket-websocket", "FIN"],
    ["socket-websocket", "close 1005", "FIN"],
    ["rpc-websocket", "close 1006", "FIN"]
  ])("is none over %s without it", (wire, ...seen) => {
    assert.match(judge({ ending: "FIN" }, record(wire, seen)).join(), /heard no goodbye/)
  })

  it("is none behind which an RST came, goodbye or not", () => {
    const problems = judge({ ending: "FIN" }, record("socket-tls", ["close_notify", "FIN", "RST"]))
    assert.deepStrictEqual(problems, ["1 of 1 clients: ended by close_notify then FIN then RST, not FIN"])
  })
})

describe("a goodbye", () => {
  it("is enough for who only has to be told", () => {
    assert.deepStrictEqual(judge({ told: true }, record("socket-websocket", ["close 1001", "RST"])), [])
    assert.deepStrictEqual(judge({ told: true }, record("socket-tcp", ["FIN", "RST"])), [])
  })

  it("is missing where there was only an RST", () => {
    assert.deepStrictEqual(judge({ told: true }, record("socket-tls", ["RST"])), [
      "1 of 1 clients: heard no goodbye (RST)"
    ])
  })
})

it("trouble is told, however it ended", () => {
  const client = record("socket-tls", ["close_notify", "FIN"], "ERR_SSL: bad record")
  assert.deepStrictEqual(judge({ ending: "FIN" }, client), ["1 of 1 clients: had trouble: ERR_SSL: bad record"])
})
