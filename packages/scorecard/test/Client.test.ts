/** The clients' own eyes: each end is seen for what it is, by a client of either kind. */
import { once } from "node:events"
import * as net from "node:net"
import { afterEach, assert, describe, it } from "vitest"
import { Client, type ClientOptions } from "../src/clients/Client.ts"
import type { ClientRecord } from "@finwait/cli/clients/ClientRecord"
import { readTable } from "@finwait/cli/clients/kernel"
import * as Protocol from "../src/Protocol.ts"

const servers: Array<net.Server> = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A server that does one thing with its connection; `closed` when the connection is no longer there on its side. */
const listen = async (serve: (socket: net.Socket) => void) => {
  const server = net.createServer({ allowHalfOpen: true })
  servers.push(server)
  const closed = (async () => {
    const [socket] = (await once(server, "connection")) as [net.Socket]
    serve(socket.on("error", () => {}).resume())
    await once(socket, "close")
  })()
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return { port: (server.address() as net.AddressInfo).port, closed }
}

/** One client of such a server, from its request until it has seen an end, and `since` has come. */
const observe = async (
  port: number,
  options?: Partial<ClientOptions>,
  since?: Promise<void>
): Promise<ClientRecord> => {
  const client = await new Client(port, { group: "client", ...options }).connected()
  client.ask(Protocol.work(5))
  await (since ?? client.ended.opened)
  await client.settle(readTable())
  return client.record(undefined)
}

describe("a client", () => {
  it("sees a whole answer and a FIN", async () => {
    const { port } = await listen((socket) => socket.once("data", () => socket.end("DONE 5\n")))
    const record = await observe(port)
    assert.deepInclude(record, { whole: true, ending: "FIN", expectedBytes: 7, receivedBytes: 7 })
  })

  it("sees that an answer is cut short though a FIN came", async () => {
    const { port } = await listen((socket) => socket.once("data", () => socket.end("DON")))
    const record = await observe(port)
    assert.deepInclude(record, { whole: false, ending: "FIN", receivedBytes: 3 })
  })

  it("sees that an answer is another one, or goes on", async () => {
    const six = await listen((socket) => socket.once("data", () => socket.end("DONE 6\n")))
    const more = await listen((socket) => socket.once("data", () => socket.end("DONE 5\n.")))
    const [other, longer] = [await observe(six.port), await observe(more.port)]
    assert.deepStrictEqual([other.whole, longer.whole], [false, false])
  })

  it("sees an RST", async () => {
    const { port } = await listen((socket) => socket.once("data", () => socket.resetAndDestroy()))
    const record = await observe(port)
    assert.deepInclude(record, { whole: false, ending: "RST" })
  })

  it("sees an RST that came while it did not read", async () => {
    const { closed, port } = await listen((socket) => socket.once("data", () => socket.resetAndDestroy()))
    assert.strictEqual((await observe(port, { reads: "later" }, closed)).ending, "RST")
  })

  it.runIf(readTable() !== undefined)("sees an RST behind a FIN that it did not answer", async () => {
    const { closed, port } = await listen((socket) =>
      socket.once("data", () => socket.end("DONE 5\n", () => setTimeout(() => socket.resetAndDestroy(), 20)))
    )
    const record = await observe(port, { answers: false }, closed)
    assert.deepInclude(record, { whole: true, ending: "RST" })
    assert.deepStrictEqual(record.seen, ["FIN", "RST"])
  })

  it("does not take a FIN that it did not answer for an RST", async () => {
    const { port } = await listen((socket) => socket.once("data", () => socket.end("DONE 5\n")))
    assert.deepStrictEqual((await observe(port, { answers: false })).seen, ["FIN"])
  })

  it("is refused", async () => {
    const { port } = await listen(() => {})
    await new Promise((resolve) => servers.pop()?.close(resolve))
    assert.strictEqual((await new Client(port, { group: "client" }).connected()).seen[0], "refused")
  })
})
