/** The clients' eyes and ears for HTTP: what they say they saw is what was done, and only a whole answer is one. */
import { once } from "node:events"
import * as http2 from "node:http2"
import type * as net from "node:net"
import { afterEach, assert, describe, it } from "vitest"
import { Client, type ClientOptions } from "../src/clients/Client.ts"
import type { ClientRecord } from "@finwait/cli/clients/ClientRecord"
import { http } from "../src/clients/dialects/http.ts"
import { readTable } from "@finwait/cli/clients/kernel"
import { wires } from "../src/clients/wires.ts"
import * as Protocol from "../src/Protocol.ts"
import { settles, sleep } from "@finwait/cli/Waiting"

const servers: Array<{ close(): unknown }> = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

const portOf = (server: { address(): net.AddressInfo | string | null }) => (server.address() as net.AddressInfo).port

const settled = async (client: Client): Promise<ClientRecord> => {
  await client.ended.opened
  await client.settle(readTable())
  return client.record(undefined)
}

const answer = (body: string, status = "200 OK", more = "") =>
  Buffer.from(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`)

describe("answers of HTTP/1.1", () => {
  const hear = (exchanges: ReadonlyArray<Protocol.Exchange>, said: Buffer, step = said.length) => {
    const transcript = http.transcript()
    for (const exchange of exchanges) transcript.ask(exchange)
    for (let from = 0; from < said.length; from += step) transcript.hear(said.subarray(from, from + step), undefined)
    return transcript
  }

  it("are whole however the bytes are cut, one behind the other", () => {
    const said = Buffer.concat([answer("DONE 5\n"), answer("SIZE 100\n" + ".".repeat(100))])
    for (const step of [1, 2, 3, 7, 50, said.length]) {
      const transcript = hear([Protocol.work(5), Protocol.get(100)], said, step)
      assert.isTrue(transcript.whole)
      assert.strictEqual(transcript.receivedBytes, said.length)
    }
  })

  it("are not whole before the last byte, in the head or in the body", () => {
    const said = answer("DONE 5\n")
    for (const missing of [1, 7, 8, said.length]) {
      assert.isFalse(hear([Protocol.work(5)], said.subarray(0, said.length - missing)).whole)
    }
  })

  it.each([
    ["another status", answer("", "503 Service Unavailable"), ["503"]],
    ["another body", answer("DONE 6\n"), ["another body"]],
    ["a shorter body", answer("DONE 5"), ["another body"]],
    ["no body", answer(""), ["another body"]],
    [
      "chunks",
      Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nDONE 5\n\r\n0\r\n\r\n"),
      ["chunks"]
    ],
    ["another status, in chunks", Buffer.from("HTTP/1.1 503\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), ["503"]]
  ])("are told what came in their place: %s", (_, said, instead) => {
    const transcript = hear([Protocol.work(5)], said)
    assert.isFalse(transcript.whole)
    assert.deepStrictEqual(transcript.instead, instead)
  })

  it("that nobody has asked for are none", () => {
    assert.deepStrictEqual(hear([], answer("", "408 Request Timeout")).instead, ["408"])
    assert.isFalse(hear([Protocol.work(5)], Buffer.concat([answer("DONE 5\n"), answer("DONE 5\n")])).whole)
  })

  it("say whether they are the last", () => {
    assert.isFalse(hear([Protocol.work(5)], answer("DONE 5\n", "200 OK", "Connection: keep-alive\r\n")).saidLast)
    assert.isTrue(hear([Protocol.work(5)], answer("DONE 5\n", "200 OK", "Connection: close\r\n")).saidLast)
  })

  it("are not missing where the server says that it has not heard the question", () => {
    const transcript = hear([Protocol.work(5)], Buffer.from("HTTP/2 REFUSED_STREAM\r\n\r\n"))
    assert.deepStrictEqual([transcript.whole, transcript.expectedBytes], [true, 0])
  })

  it("are asked for with a head that says how much is uploaded", () => {
    assert.strictEqual(http.transcript().ask(Protocol.work(5)), "GET /WORK/5 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    const length = `Content-Length: ${Protocol.uploadBytes}`
    assert.include(http.transcript().ask(Protocol.reject(9)), `POST /REJECT/9 HTTP/1.1\r\nHost: 127.0.0.1\r\n${length}`)
  })
})

describe("a client over HTTP/2", () => {
  type Serve = (stream: http2.ServerHttp2Stream, raw: net.Socket) => void

  /** A server that does one thing when it has heard a request. */
  const listen = async (serve: Serve) => {
    const streams = { asked: 0 }
    const server = http2.createServer()
    let raw: net.Socket | undefined
    server.on("connection", (socket: net.Socket) => (raw = socket))
    server.on("sessionError", () => {})
    server.on("stream", (stream) => {
      streams.asked += 1
      stream.on("error", () => {})
      serve(stream, raw!)
    })
    servers.push(server.listen(0, "127.0.0.1"))
    await once(server, "listening")
    return { port: portOf(server), streams }
  }

  const connect = (port: number, options?: Partial<ClientOptions>) =>
    new Client(port, { group: "client", wire: wires.http2, ...options }).ready()

  const respond = (stream: http2.ServerHttp2Stream, body: string, status = 200) => {
    stream.respond({ ":status": status, "content-length": String(body.length) })
    stream.end(body)
  }

  it("hears an answer, then GOAWAY, then the FIN", async () => {
    const { port } = await listen((stream) => {
      respond(stream, "DONE 5\n")
      stream.session!.close()
    })
    const client = await connect(port)
    client.ask(Protocol.work(5))
    const record = await settled(client)
    assert.deepInclude(record, { whole: true, ending: "FIN", trouble: null })
    assert.deepStrictEqual(record.seen, ["GOAWAY", "FIN"])
  })

  it("hears that there is no GOAWAY before a bare FIN", async () => {
    const { port } = await listen((_, raw) => raw.end())
    const client = await connect(port)
    client.ask(Protocol.work(5))
    const record = await settled(client)
    assert.isFalse(record.whole)
    assert.deepStrictEqual(record.seen, ["FIN"])
  })

  it("sees an RST", async () => {
    const { port } = await listen((_, raw) => raw.resetAndDestroy())
    const client = await connect(port)
    client.ask(Protocol.work(5))
    assert.deepInclude(await settled(client), { whole: false, ending: "RST", trouble: null })
  })

  it("hears what came in place of an answer: another status, or the end of the stream", async () => {
    let asked = 0
    const { port } = await listen((stream) => {
      if (asked++ === 0) respond(stream, "", 503)
      else {
        stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
        stream.session!.close()
      }
    })
    const client = await connect(port)
    client.ask(Protocol.work(5))
    await client.firstBytes()
    client.ask(Protocol.work(5))
    assert.deepStrictEqual((await settled(client)).instead, ["503", "INTERNAL_ERROR"])
  })

  it("has lost nothing on a stream that is refused", async () => {
    const { port } = await listen((stream) => {
      stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
      stream.session!.close()
    })
    const client = await connect(port)
    client.ask(Protocol.work(5))
    assert.deepInclude(await settled(client), { whole: true, expectedBytes: 0 })
  })

  it("keeps its own side open after a GOAWAY that it does not answer", async () => {
    let closed = Promise.resolve<unknown>(undefined)
    const { port } = await listen((stream, raw) => {
      closed = once(raw, "close")
      respond(stream, "DONE 5\n")
      stream.session!.close()
    })
    const client = await connect(port, { answers: false })
    client.ask(Protocol.work(5))
    await client.ended.opened
    assert.isFalse(await settles(100, closed))
    client.answer()
    assert.isTrue(await settles(1000, closed))
    assert.deepStrictEqual((await settled(client)).seen, ["GOAWAY", "FIN"])
  })

  it("leaves in the kernel what it does not read, and reads all of it when told", async () => {
    const bytes = 1024 * 1024
    const { port } = await listen((stream) => {
      respond(stream, `SIZE ${bytes}\n${Protocol.bodyText(bytes)}`)
      stream.session!.close()
    })
    const client = await connect(port, { reads: "later" })
    client.ask(Protocol.get(bytes))
    await sleep(200)
    assert.strictEqual(client.transcript.receivedBytes, 0)
    client.read()
    assert.deepInclude(await settled(client), { whole: true, ending: "FIN" })
  })

  it("uploads behind a request what the server may leave unread", async () => {
    let heard = 0
    const { port } = await listen((stream) => {
      stream.on("data", (chunk: Buffer) => (heard += chunk.length))
      stream.on("end", () => {
        respond(stream, "SIZE 9\n.........")
        stream.session!.close()
      })
    })
    const client = await connect(port)
    client.ask(Protocol.reject(9))
    client.send(Buffer.alloc(Protocol.uploadBytes))
    assert.isTrue((await settled(client)).whole)
    assert.strictEqual(heard, Protocol.uploadBytes)
  })

  it("says half of a request, and never the rest", async () => {
    const { port, streams } = await listen((stream) => respond(stream, "DONE 5\n"))
    const client = await connect(port)
    client.askHalf(Protocol.work(5))
    await sleep(200)
    assert.strictEqual(streams.asked, 0)
    assert.isFalse(client.over)
    client.leave()
  })
})
