/** The clients' own eyes over TLS and WebSocket, and their ears for calls: what they say they saw is what was done. */
import { once } from "node:events"
import * as net from "node:net"
import * as tls from "node:tls"
import { afterEach, assert, describe, it } from "vitest"
import { type WebSocket, WebSocketServer } from "ws"
import { FrameReader } from "@finwait/cli/clients/channels/frames"
import type { TlsVersion } from "@finwait/cli/clients/channels/TlsChannel"
import { Client, type ClientOptions } from "../src/clients/Client.ts"
import type { ClientRecord } from "@finwait/cli/clients/ClientRecord"
import { calls } from "../src/clients/dialects/calls.ts"
import { readTable } from "@finwait/cli/clients/kernel"
import { wires } from "../src/clients/wires.ts"
import { certificate, key } from "../src/fixtures/localhost.ts"
import * as Protocol from "../src/Protocol.ts"
import { sleep } from "@finwait/cli/Waiting"

const servers: Array<{ close(): unknown }> = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

const portOf = (server: { address(): net.AddressInfo | string | null }) => (server.address() as net.AddressInfo).port

/** One client that asks and sees it through to the end. */
const observe = async (
  client: Client,
  exchange: Protocol.Exchange,
  before: (client: Client) => unknown = () => {}
): Promise<ClientRecord> => {
  await client.ready()
  client.ask(exchange)
  await before(client)
  if (client.record(undefined).seen.length === 0) await client.told.opened
  await client.settle(readTable())
  return client.record(undefined)
}

describe.for<TlsVersion>(["TLSv1.2", "TLSv1.3"])("a client over %s", (version) => {
  /** A server that does one thing when it has heard a request, with the secure socket or the one below it. */
  const listen = async (serve: (secure: tls.TLSSocket, raw: net.Socket) => void) => {
    const context = tls.createSecureContext({ key: key(), cert: certificate() })
    const server = net.createServer({ allowHalfOpen: true }, (raw) => {
      raw.on("error", () => {})
      const secure = new tls.TLSSocket(raw, { isServer: true, secureContext: context })
      secure.on("error", () => {}).on("data", () => {})
      secure.once("data", () => serve(secure, raw))
    })
    servers.push(server)
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return portOf(server)
  }

  const connect = (port: number, options?: Partial<ClientOptions>) =>
    new Client(port, { group: "client", wire: wires["socket-tls"], tls: version, ...options })

  it("hears a close_notify before the FIN", async () => {
    const port = await listen((secure) => secure.end("DONE 5\n"))
    const record = await observe(connect(port), Protocol.work(5))
    assert.deepInclude(record, { whole: true, ending: "FIN", trouble: null })
    assert.deepStrictEqual(record.seen, ["close_notify", "FIN"])
  })

  it("hears that there is none before a bare FIN", async () => {
    const port = await listen((secure, raw) => secure.write("DONE 5\n", () => raw.end()))
    const record = await observe(connect(port), Protocol.work(5))
    assert.deepInclude(record, { whole: true, ending: "FIN", trouble: null })
    assert.deepStrictEqual(record.seen, ["FIN"])
  })

  it("sees an RST", async () => {
    const port = await listen((_, raw) => raw.resetAndDestroy())
    const record = await observe(connect(port), Protocol.work(5))
    assert.deepInclude(record, { whole: false, ending: "RST", trouble: null })
  })

  it("leaves in the kernel what it does not read, and reads all of it when told", async () => {
    const bytes = 32 * 1024 * 1024
    let flushed = false
    const port = await listen((secure) => {
      secure.write(`SIZE ${bytes}\n`)
      secure.end(Protocol.body(bytes), () => (flushed = true))
    })
    const client = connect(port, { reads: "later" })
    const record = await observe(client, Protocol.get(bytes), async () => {
      await sleep(300)
      assert.strictEqual(client.transcript.receivedBytes, 0)
      assert.isFalse(flushed)
      client.read()
    })
    assert.deepInclude(record, { whole: true, ending: "FIN" })
  })

  it("reads once and no more", async () => {
    const bytes = 8 * 1024 * 1024
    const port = await listen((secure) => {
      secure.write(`SIZE ${bytes}\n`)
      secure.end(Protocol.body(bytes))
    })
    const client = connect(port, { reads: "once" })
    await observe(client, Protocol.get(bytes), async () => {
      await client.firstBytes()
      await sleep(100)
      assert.isBelow(client.transcript.receivedBytes, 64 * 1024)
      client.read()
    })
  })

  it("keeps its own side open after a close_notify that it does not answer", async () => {
    let heard = ""
    const port = await listen((secure) => {
      secure.end("DONE 5\n")
      secure.on("data", (chunk: Buffer) => (heard += chunk.toString()))
    })
    const client = connect(port, { answers: false })
    const record = await observe(client, Protocol.work(5), async () => {
      await client.ended.opened
      client.send("more")
      await sleep(50)
    })
    assert.deepStrictEqual(record.seen, ["close_notify", "FIN"])
    assert.strictEqual(heard, "more")
  })
})

describe("a client over WebSocket", () => {
  /** A server that does one thing when it has heard a message. */
  const listen = async (serve: (socket: WebSocket, message: Buffer, isText: boolean) => void) => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
    servers.push(server)
    server.on("connection", (socket) =>
      socket.on("error", () => {}).on("message", (message, isBinary) => serve(socket, message as Buffer, !isBinary))
    )
    await once(server, "listening")
    return portOf(server)
  }

  const connect = (port: number, options?: Partial<ClientOptions>) =>
    new Client(port, { group: "client", wire: wires["socket-websocket"], ...options })

  it("hears a close frame and its code before the FIN", async () => {
    const port = await listen((socket) => {
      socket.send("DONE 5\n")
      socket.close(1001)
    })
    const record = await observe(connect(port), Protocol.work(5))
    assert.deepInclude(record, { whole: true, ending: "FIN", trouble: null })
    assert.deepStrictEqual(record.seen, ["close 1001", "FIN"])
  })

  it("hears a close frame without a code", async () => {
    const port = await listen((socket) => socket.close())
    assert.deepStrictEqual((await observe(connect(port), Protocol.work(5))).seen, ["close 1005", "FIN"])
  })

  it("sees that there was none", async () => {
    const port = await listen((socket) => socket.terminate())
    assert.deepStrictEqual((await observe(connect(port), Protocol.work(5))).seen, ["FIN"])
  })

  it("lets the server wait for the answer to a close frame", async () => {
    let over = false
    const port = await listen((socket) => socket.on("close", () => (over = true)).close(1001))
    const client = connect(port, { answers: false })
    const record = await observe(client, Protocol.work(5), async () => {
      await client.told.opened
      await sleep(100)
      assert.isFalse(over)
      client.answer()
      await client.ended.opened
    })
    assert.deepStrictEqual(record.seen, ["close 1001", "FIN"])
  })

  it("answers pings", async () => {
    const port = await listen((socket) => {
      socket.once("pong", () => socket.close(1000))
      socket.ping("are you there")
    })
    assert.deepStrictEqual((await observe(connect(port), Protocol.work(5))).seen, ["close 1000", "FIN"])
  })

  it.each([0, 1, 125, 126, 65_535, 65_536, 1_000_000])("hears and says messages of %i bytes", async (bytes) => {
    const heard: Array<[length: number, isText: boolean]> = []
    const port = await listen((socket, message, isText) => {
      heard.push([message.length, isText])
      if (heard.length < 2) return
      socket.send(`SIZE ${bytes}\n`)
      socket.send(Protocol.body(bytes))
      socket.close(1000)
    })
    const record = await observe(connect(port), Protocol.get(bytes), (client) => client.send(Protocol.body(bytes)))
    assert.deepInclude(record, { whole: true, receivedBytes: record.expectedBytes })
    assert.deepStrictEqual(heard, [
      [`GET ${bytes}\n`.length, true],
      [bytes, false]
    ])
  })

  it("minds that text comes as text, and bodies as bytes", async () => {
    const port = await listen((socket) => {
      socket.send(Buffer.from("DONE 5\n"))
      socket.close(1000)
    })
    assert.isFalse((await observe(connect(port), Protocol.work(5))).whole)
  })

  it("says when there is no upgrade", async () => {
    const server = net.createServer((socket) => socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n"))
    servers.push(server.listen(0, "127.0.0.1"))
    await once(server, "listening")
    const client = await connect(portOf(server)).ready()
    assert.strictEqual(client.record(undefined).trouble, "no upgrade: HTTP/1.1 503 Service Unavailable")
    client.leave()
  })
})

describe("frames", () => {
  it("are the same however the bytes are cut", () => {
    const stream = Buffer.concat([
      Buffer.from([0x81, 2, 0x68, 0x69]),
      Buffer.from([0x82, 126, 0, 200]),
      Buffer.alloc(200, 1),
      Buffer.from([0x89, 0]),
      Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
      Buffer.alloc(65_536, 2),
      Buffer.from([0x88, 2, 3, 233])
    ])
    const readBy = (step: number) => {
      const heard = { text: 0, binary: 0, pings: 0, closes: Array<number | undefined>() }
      const reader = new FrameReader({
        payload: (chunk, kind) => (heard[kind ?? "text"] += chunk.length),
        ping: () => (heard.pings += 1),
        close: (code) => heard.closes.push(code)
      })
      for (let from = 0; from < stream.length; from += step) reader.hear(stream.subarray(from, from + step))
      return heard
    }
    const expected = { text: 2, binary: 65_736, pings: 1, closes: [1001] }
    for (const step of [1, 2, 3, 7, 11, 4096, stream.length]) assert.deepStrictEqual(readBy(step), expected)
  })
})

describe("calls", () => {
  const hear = (exchange: Protocol.Exchange, said: unknown, cut = Number.MAX_SAFE_INTEGER) => {
    const transcript = calls.transcript()
    transcript.ask(exchange)
    const line = Buffer.from(`${JSON.stringify(said)}\n`)
    transcript.hear(line.subarray(0, cut), undefined)
    transcript.hear(line.subarray(cut), undefined)
    return transcript
  }
  const success = (value: unknown, requestId = "0") => ({ _tag: "Exit", requestId, exit: { _tag: "Success", value } })
  const failure = (...tags: ReadonlyArray<string>) => ({
    _tag: "Exit",
    requestId: "0",
    exit: { _tag: "Failure", cause: tags.map((_tag) => ({ _tag })) }
  })

  it("have their answer when all of it has come, with the value that was asked for", () => {
    for (const cut of [0, 1, 30, 1000]) {
      const transcript = hear(Protocol.work(5), success(5), cut)
      assert.isTrue(transcript.whole)
      assert.strictEqual(transcript.receivedBytes, transcript.expectedBytes)
    }
    const body = hear(Protocol.get(1000), success(Protocol.bodyText(1000)))
    assert.isTrue(body.whole)
    assert.strictEqual(body.receivedBytes, body.expectedBytes)
  })

  it("have no answer in half of one", () => {
    const transcript = calls.transcript()
    transcript.ask(Protocol.work(5))
    transcript.hear(Buffer.from(JSON.stringify(success(5))), undefined)
    assert.isFalse(transcript.whole)
  })

  it.each([
    ["an interruption", failure("Interrupt"), ["Interrupt"]],
    ["several reasons", failure("Fail", "Interrupt"), ["Fail", "Interrupt"]],
    ["a defect of the connection", { _tag: "Defect", defect: "x" }, ["Defect"]],
    ["another value", success(6), ["another value"]],
    ["somebody else's answer", success(5, "7"), ["Exit"]]
  ])("are told what came in place of an answer: %s", (_, said, instead) => {
    const transcript = hear(Protocol.work(5), said)
    assert.isFalse(transcript.whole)
    assert.deepStrictEqual(transcript.instead, instead)
  })

  it("do not take a second answer for good", () => {
    const transcript = hear(Protocol.work(5), success(5))
    transcript.hear(Buffer.from(`${JSON.stringify(success(5))}\n`), undefined)
    assert.isFalse(transcript.whole)
  })
})
