/**
 * Every example as a user runs it: a process of its own, real sockets, a real SIGTERM while something is in flight.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Cause, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Images } from "finwait-example-rpc-server/images"
import { createHash, randomBytes } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as http2 from "node:http2"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { Program } from "./tools/Program.ts"
import { RawClient } from "./tools/RawClient.ts"
import { WebClient } from "./tools/WebClient.ts"

const directory = mkdtempSync(join(tmpdir(), "finwait-examples-"))
const programs: Array<Program> = []

afterAll(() => {
  for (const program of programs) program.kill()
  rmSync(directory, { recursive: true })
})

const start = (name: string, env: Record<string, string>, file = "main.ts"): Program => {
  const program = new Program(new URL(`../examples/${name}/${file}`, import.meta.url), { env })
  programs.push(program)
  return program
}

/** For who starts several programs, one after the other, beside everybody else's. */
const many = { timeout: 45_000 }

let sockets = 0
const transports = {
  TCP: (): Record<string, string> => ({ PORT: "0" }),
  "a Unix socket": (): Record<string, string> => ({ SOCKET: join(directory, `${++sockets}.sock`) })
}
const eachTransport = Object.entries(transports)

/** The process has ended well, and has said the two lines of JSON that it should, and no other. */
const endedClean = async (program: Program, address: string, connections: number) => {
  assert.deepStrictEqual(await program.ended(), { code: 0, signal: null }, program.stderr)
  const [listening, ended, ...more] = program.said
  assert.deepStrictEqual(more, [])
  assert.deepStrictEqual(listening, { listening: address })
  const { clean, outcomes, ...report } = ended!["drained"]
  assert.isTrue(clean)
  assert.strictEqual(report.address, address)
  assert.strictEqual(report.connections, connections)
  assert.deepStrictEqual(outcomes, { Graceful: connections, LingerExpired: 0, ResetByPeer: 0, Aborted: 0 })
}

const isAddress = (address: string, env: Record<string, string>) => {
  if (env["SOCKET"] === undefined) assert.match(address, /^tcp:\/\/127\.0\.0\.1:\d+$/)
  else assert.strictEqual(address, `unix://${env["SOCKET"]}`)
}

describe.concurrent("echo", () => {
  it.each(eachTransport)("over %s: what had arrived before the signal goes back to the last byte", async (_, make) => {
    const env = make()
    const program = start("echo", env)
    const address = await program.listening()
    isAddress(address, env)
    const client = await RawClient.connect(address)
    const [first, second] = [randomBytes(3_000_000), randomBytes(32_000)]
    await client.send(first)
    await client.hears(first.length)
    await client.send(second)
    program.signal("SIGTERM")
    assert.strictEqual(await client.ended(), "FIN")
    assert.isTrue(client.bytes.equals(Buffer.concat([first, second])))
    await endedClean(program, address, 1)
  })
})

describe.concurrent("line-server", () => {
  it.each(eachTransport)(
    "over %s: a client in the middle of a line gets its answer, and all hear BYE",
    async (_, make) => {
      const env = make()
      const program = start("line-server", env)
      const address = await program.listening()
      isAddress(address, env)
      const idle = await RawClient.connect(address)
      const talking = await RawClient.connect(address)
      await talking.send("one\ntwo\n")
      await talking.hears("TWO\n")
      await talking.send("hel")
      const leaving = await RawClient.connect(address)
      await leaving.send("three\n")
      leaving.socket.end()
      assert.strictEqual(await leaving.ended(), "FIN")
      assert.strictEqual(leaving.text, "THREE\nBYE\n")

      program.signal("SIGTERM")
      assert.strictEqual(await idle.ended(), "FIN")
      assert.strictEqual(idle.text, "BYE\n")
      assert.isUndefined(talking.ending)
      await talking.send("lo\nfour\n")
      assert.strictEqual(await talking.ended(), "FIN")
      assert.include(["ONE\nTWO\nHELLO\nBYE\n", "ONE\nTWO\nHELLO\nFOUR\nBYE\n"], talking.text)
      await endedClean(program, address, 2)
    }
  )
})

describe.concurrent("chat", () => {
  const goodbye = "* the server is going down, goodbye\n"

  it.each(eachTransport)(
    "over %s: what was said before the signal reaches everybody, then goodbye",
    async (_, make) => {
      const env = make()
      const program = start("chat", env)
      const address = await program.listening()
      isAddress(address, env)
      const ada = await RawClient.connect(address)
      await ada.send("/nick ada\n")
      await ada.hears("is now ada\n")
      const bob = await RawClient.connect(address)
      await bob.hears("guest-2 joined\n")
      const eve = await RawClient.connect(address)
      await eve.hears("guest-3 joined\n")
      eve.socket.end()
      assert.strictEqual(await eve.ended(), "FIN")
      await bob.hears("guest-3 left\n")
      await bob.send("not yet ")
      await ada.send("anybody there?\n")
      program.signal("SIGTERM")

      assert.strictEqual(await ada.ended(), "FIN")
      await bob.send("over\n")
      assert.strictEqual(await bob.ended(), "FIN")
      const both = "* guest-2 joined\n* guest-3 joined\n* guest-3 left\nada: anybody there?\n"
      assert.strictEqual(ada.text, `* guest-1 joined\n* guest-1 is now ada\n${both}${goodbye}`)
      assert.strictEqual(bob.text, `${both}guest-2: not yet over\n${goodbye}`)
      assert.strictEqual(eve.text, "* guest-3 joined\n")
      await endedClean(program, address, 2)
    }
  )
})

describe.concurrent("tcp-proxy", () => {
  const answer = randomBytes(32 * 1024 * 1024)
  const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

  /** Hands over each connection as a raw client sees its own, so that the test speaks on both ends. */
  const upstream = async () => {
    const connections: Array<net.Socket> = []
    let arrived = () => {}
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {})
      connections.push(socket)
      arrived()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as net.AddressInfo
    const next = async () => {
      if (connections.length === 0) await new Promise<void>((resolve) => (arrived = resolve))
      return connections.shift()!
    }
    return { server, address: `tcp://127.0.0.1:${port}`, next }
  }

  const reads = (socket: net.Socket, text: string) =>
    new Promise<void>((resolve) => {
      let heard = ""
      const onData = (chunk: Buffer) => {
        heard += chunk.toString()
        if (heard !== text) return
        socket.off("data", onData)
        resolve()
      }
      socket.on("data", onData)
    })

  const fin = (socket: net.Socket) =>
    new Promise<void>((resolve) => {
      socket.once("end", resolve)
      socket.resume()
    })

  it.each(eachTransport)("over %s: an exchange under way is finished, a silent one is closed", async (_, make) => {
    const env = make()
    const { address: target, next, server } = await upstream()
    const program = start("tcp-proxy", { ...env, UPSTREAM: target })
    const address = await program.listening()
    isAddress(address, env)
    const silent = await RawClient.connect(address)
    const silentUpstream = await next()
    const client = await RawClient.connect(address)
    const clientUpstream = await next()
    await Promise.all([client.send("half a "), reads(clientUpstream, "half a ")])

    program.signal("SIGTERM")
    await program.says("2 connections")
    client.socket.pause()
    client.socket.end("request")
    await Promise.all([reads(clientUpstream, "request"), fin(clientUpstream)])
    // The client has said its FIN, and so much that no buffer holds it all is on its way to it. While it does not read,
    // nothing moves; the other one ends meanwhile, so that the pause has been longer than the proxy's own.
    clientUpstream.end(answer)
    await Promise.all([silent.ended(), fin(silentUpstream)])
    silentUpstream.end()
    assert.strictEqual(silent.ending, "FIN")
    assert.strictEqual(silent.text, "")
    assert.isUndefined(client.ending)
    client.socket.resume()
    assert.strictEqual(await client.ended(), "FIN")
    assert.strictEqual(sha(client.bytes), sha(answer))
    await endedClean(program, address, 2)
    server.close()
  })

  it("passes a reset on, in both directions, and resets whom it cannot serve", async () => {
    const { address: target, next, server } = await upstream()
    const program = start("tcp-proxy", { PORT: "0", UPSTREAM: target })
    const address = await program.listening()

    const left = await RawClient.connect(address)
    const leftUpstream = await next()
    leftUpstream.resetAndDestroy()
    assert.strictEqual(await left.ended(), "ECONNRESET")

    const leaving = await RawClient.connect(address)
    const leavingUpstream = await next()
    const reset = new Promise<NodeJS.ErrnoException>((resolve) => leavingUpstream.once("error", resolve))
    leavingUpstream.resume()
    leaving.socket.resetAndDestroy()
    assert.strictEqual((await reset).code, "ECONNRESET")

    server.close()
    const unserved = await RawClient.connect(address)
    assert.strictEqual(await unserved.ended(), "ECONNRESET")

    program.signal("SIGTERM")
    await endedClean(program, address, 0)
    assert.include(program.stderr, "refused: nobody listens there")
  })
})

describe.concurrent("job-queue-client", () => {
  /** A queue server that hands out what it is given, one job per TAKE, and keeps what it hears. */
  class Queue {
    readonly jobs: Array<string>
    heard = ""
    readonly connections: Array<net.Socket> = []
    readonly server = net.createServer((socket) => {
      this.connections.push(socket)
      socket.setEncoding("utf8").on("data", (text: string) => {
        this.heard += text
        for (const _ of text.matchAll(/^TAKE$/gm)) {
          const job = this.jobs.shift()
          if (job !== undefined) socket.write(`${job}\n`)
        }
        this.changed()
      })
      socket.on("end", () => {
        this.heard += "(FIN)"
        this.changed()
      })
    })
    private changed = () => {}

    constructor(...jobs: ReadonlyArray<string>) {
      this.jobs = [...jobs]
    }

    listen(port = 0): Promise<string> {
      return new Promise((resolve) =>
        this.server.listen(port, "127.0.0.1", () =>
          resolve(`tcp://127.0.0.1:${(this.server.address() as net.AddressInfo).port}`)
        )
      )
    }

    hears(text: string): Promise<void> {
      return new Promise((resolve) => {
        this.changed = () => this.heard.includes(text) && resolve()
        this.changed()
      })
    }

    close(): Promise<void> {
      return new Promise((resolve) => this.server.close(() => resolve()))
    }
  }

  const graceful = ({ closed }: Record<string, any>) => {
    assert.strictEqual(closed._tag, "Graceful")
    assert.strictEqual(closed.farewell, "flushed")
    assert.strictEqual(closed.bytesUnsent, 0)
  }

  it("waits for its server to come, finishes the job in hand at the signal, and says QUIT", async () => {
    const early = new Queue()
    const address = await early.listen()
    await early.close()
    const program = start("job-queue-client", { SERVER: address })
    await program.says(`connect ${address.replace("://", " ")}: refused: nobody listens there`)
    const queue = new Queue("JOB 1 0", "JOB 2 1500")
    await queue.listen(Number(new URL(address).port))
    await program.says("job 2")
    program.signal("SIGTERM")
    assert.deepStrictEqual(await program.ended(), { code: 0, signal: null }, program.stderr)
    await queue.hears("(FIN)")
    assert.strictEqual(queue.heard, "TAKE\nDONE 1\nTAKE\nDONE 2\nQUIT\n(FIN)")
    const [connected, closed, ...more] = program.said
    assert.deepStrictEqual(connected, { connected: address })
    graceful(closed!)
    assert.deepStrictEqual(more, [])
    await queue.close()
  })

  it("comes back after its server has said goodbye, and leaves at once when it has nothing in hand", async () => {
    const queue = new Queue()
    const address = await queue.listen()
    const program = start("job-queue-client", { SERVER: address })
    await queue.hears("TAKE\n")
    queue.connections[0]!.end()
    await queue.hears("TAKE\nQUIT\n(FIN)TAKE\n")
    program.signal("SIGTERM")
    assert.deepStrictEqual(await program.ended(), { code: 0, signal: null }, program.stderr)
    await queue.hears("TAKE\nQUIT\n(FIN)TAKE\nQUIT\n(FIN)")
    const [first, firstClosed, second, secondClosed, ...more] = program.said
    assert.deepStrictEqual([first, second], [{ connected: address }, { connected: address }])
    graceful(firstClosed!)
    graceful(secondClosed!)
    assert.deepStrictEqual(more, [])
    await queue.close()
  })
})

describe.concurrent("rpc-server", () => {
  /** Effect's own client, on Effect's own sockets: it shares nothing with the server. */
  const protocol = (address: string, over: string) =>
    RpcClient.layerProtocolSocket().pipe(
      Layer.provide(
        over === "tcp"
          ? NodeSocket.layerNet({ host: "127.0.0.1", port: Number(new URL(address).port) })
          : NodeSocket.layerWebSocket(address.replace("tcp:", "ws:"))
      ),
      Layer.provide(RpcSerialization.layerNdjson)
    )

  /** How a call ended, in a word. */
  const word = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string => {
    if (Exit.isSuccess(exit)) return "answered"
    if (Cause.hasInterrupts(exit.cause)) return "interrupted"
    return exit.cause.reasons.map((reason) => (reason._tag === "Fail" ? reason.error._tag : reason._tag)).join()
  }

  it.each(["tcp", "websocket"])(
    "over %s: calls under way are answered, a stream goes on to its end, and nobody hears an interrupt",
    many,
    async (over) => {
      const program = start("rpc-server", { PORT: "0", PROTOCOL: over })
      const address = await program.listening()
      const lived = Effect.gen(function* () {
        const images = yield* RpcClient.make(Images)
        const unknown = yield* Effect.flip(images.Resize({ image: "a.txt", millis: 0 }))
        const resize = yield* Effect.forkChild(images.Resize({ image: "a.png", millis: 1500 }))
        const progress = yield* Effect.forkChild(Stream.runCollect(images.Progress({ steps: 5, millis: 200 })))
        yield* Effect.promise(() => Promise.all([program.says("resize a.png"), program.says("step 1")]))
        program.signal("SIGTERM")
        yield* Effect.promise(() => program.says("drain tcp"))
        const late = yield* Effect.forkChild(Effect.exit(images.Resize({ image: "b.png", millis: 0 })))
        return {
          unknown: unknown._tag,
          resize: yield* Fiber.join(resize),
          progress: yield* Fiber.join(progress),
          late: word(yield* Fiber.join(late))
        }
      })
      const { late, ...heard } = await Effect.runPromise(
        lived.pipe(Effect.scoped, Effect.provide(protocol(address, over)))
      )
      const resize = { image: "small-a.png", by: program.pid }
      assert.deepStrictEqual(heard, { unknown: "NoSuchImage", resize, progress: [1, 2, 3, 4, 5] })
      // It was on its way when the server told everybody, or it came too late.
      assert.include(["answered", "RpcClientError"], late)
      await endedClean(program, address, 1)
    }
  )
})

describe.concurrent("rpc-client", () => {
  const resized = (...servers: ReadonlyArray<Program>) =>
    servers.flatMap(({ stderr }) => [...stderr.matchAll(/resize (\d+)\.png$/gm)].map(([, n]) => Number(n)))

  const byNumber = (one: number, other: number) => one - other

  /** The answers, and what it says at the end of how it was. */
  const told = (client: Program) => {
    const answers = client.said.slice(0, -1).map(({ by, image }) => ({ image: Number.parseInt(image), by }))
    return { answers, lived: client.said.at(-1)!["lived"] }
  }

  it("its server is replaced while calls run: each is begun once, and answered once", many, async () => {
    const calls = 60
    const first = start("rpc-server", { PORT: "0" })
    const address = new URL(await first.listening())
    const client = start("rpc-client", { SERVER: address.host, CALLS: `${calls}`, WIDTH: "3" })
    await client.hasSaid(15)
    first.signal("SIGTERM")
    assert.deepStrictEqual(await first.ended(), { code: 0, signal: null }, first.stderr)
    const second = start("rpc-server", { PORT: address.port })
    assert.deepStrictEqual(await client.ended(), { code: 0, signal: null }, client.stderr)
    second.signal("SIGTERM")
    assert.deepStrictEqual(await second.ended(), { code: 0, signal: null }, second.stderr)

    const { answers, lived } = told(client)
    const all = Array.from({ length: calls }, (_, n) => n + 1)
    assert.deepStrictEqual(answers.map(({ image }) => image).toSorted(byNumber), all)
    assert.deepStrictEqual(resized(first, second).toSorted(byNumber), all)
    assert.deepStrictEqual([...new Set(answers.map(({ by }) => by))], [first.pid, second.pid])
    assert.deepStrictEqual({ ...lived, again: lived.again > 0 }, { answered: calls, again: true, failed: 0 })
  })

  it("is told to stop while calls run: each that was begun is answered", many, async () => {
    const server = start("rpc-server", { PORT: "0" })
    const client = start("rpc-client", { SERVER: new URL(await server.listening()).host, WIDTH: "5" })
    await client.hasSaid(20)
    client.signal("SIGTERM")
    assert.deepStrictEqual(await client.ended(), { code: 0, signal: null }, client.stderr)
    server.signal("SIGTERM")
    assert.deepStrictEqual(await server.ended(), { code: 0, signal: null }, server.stderr)
    const { answers, lived } = told(client)
    const images = answers.map(({ image }) => image).toSorted(byNumber)
    assert.deepStrictEqual(images, resized(server).toSorted(byNumber))
    assert.deepStrictEqual(lived, { answered: images.length, again: 0, failed: 0 })
  })
})

describe.concurrent("cluster-runner", () => {
  it(
    "is told to stop in the middle of its work: it answers, another goes on, and nothing is begun twice",
    many,
    async () => {
      const env = {
        STORAGE: join(directory, "cluster.sqlite"),
        SHARDS_PER_GROUP: "30",
        REFRESH_ASSIGNMENTS_INTERVAL: "200 millis",
        ENTITY_MESSAGE_POLL_INTERVAL: "500 millis"
      }
      const [leaving, staying] = [start("cluster-runner", env), start("cluster-runner", env)]
      await Promise.all([leaving.listening(), staying.listening()])
      const client = start("cluster-runner", { ...env, DOCUMENTS: "12", MILLIS: "100" }, "client.ts")
      await Promise.all([leaving, staying].map(({ pid }) => client.says(`"by":${pid}`)))
      // In the middle of a document, of an edition that there has not been yet.
      const editions = [...leaving.stderr.matchAll(/of edition (\d+)/g)].map(([, edition]) => Number(edition))
      await leaving.says(`page 2 of edition ${Math.max(0, ...editions) + 1}`)
      leaving.signal("SIGTERM")
      assert.deepStrictEqual(await leaving.ended(), { code: 0, signal: null }, leaving.stderr)
      assert.match(leaving.stderr.split("SIGTERM: stopping")[1]!, /page 5 of/)

      /** What it has begun: `render document-1`, `pages of document-2`. */
      const begun = (runner: Program) =>
        [...runner.stderr.matchAll(/(render|page 1 of edition \d+ of) (document-\d+)$/gm)]
          .map(([, what, document]) => `${what === "render" ? what : "pages of"} ${document}`)
          .toSorted(byText)
      // A document that it had begins anew at the other: what an entity knows is in its memory.
      const documents = new Set(begun(leaving).map((text) => text.split(" ").at(-1)))
      await Promise.all(
        [...documents].map((document) => client.says(JSON.stringify({ document, edition: 1, by: staying.pid })))
      )
      client.signal("SIGTERM")
      assert.deepStrictEqual(await client.ended(), { code: 0, signal: null }, client.stderr)
      staying.signal("SIGTERM")
      assert.deepStrictEqual(await staying.ended(), { code: 0, signal: null }, staying.stderr)

      // Each that was begun is answered, as a whole, by the one that has begun it.
      for (const runner of [leaving, staying]) {
        const answers = client.said.filter(({ by }) => by === runner.pid)
        const answered = answers.map(
          ({ document, pages }) => `${pages === undefined ? "render" : "pages of"} ${document}`
        )
        assert.deepStrictEqual(answered.toSorted(byText), begun(runner))
        for (const { pages } of answers) if (pages !== undefined) assert.deepStrictEqual(pages, [1, 2, 3, 4, 5])
        const { clean, handlersInterrupted } = runner.said.at(-1)!["drained"]
        assert.deepStrictEqual({ clean, handlersInterrupted }, { clean: true, handlersInterrupted: 0 })
      }
    }
  )

  const byText = (one: string, other: string) => one.localeCompare(other)
})

describe.concurrent("http-api", () => {
  /** Starts it, and waits until both of its servers listen. */
  const starting = async (env: Record<string, string> = {}) => {
    const program = start("http-api", { PORT: "0", ADMIN_PORT: "0", LAME_DUCK: "0 millis", ...env })
    const url = await program.listening()
    await program.hasSaid(2)
    return { program, url, admin: String(program.said[1]!["admin"]) }
  }

  /** It has ended well, and its drain was as `/drainz` has told. */
  const ended = async (program: Program, connections: number) => {
    assert.deepStrictEqual(await program.ended(), { code: 0, signal: null }, program.stderr)
    const [, , { drained }, ...more] = program.said as [object, object, { drained: Record<string, unknown> }]
    assert.deepStrictEqual(more, [])
    const { clean, handlersInterrupted } = drained
    assert.deepStrictEqual({ clean, handlersInterrupted }, { clean: true, handlersInterrupted: 0 })
    assert.strictEqual(drained["connections"], connections)
    return drained
  }

  it("keeps notes, counts an upload, refuses a large one before it is sent, and tells how it is", many, async () => {
    const { admin, program, url } = await starting()
    const json = (value: unknown, status = 200) => ({ status, text: JSON.stringify(value), ending: "end" })
    assert.deepStrictEqual(await WebClient.send("POST", `${url}/notes`, { text: "hi" }), json({ text: "hi" }, 201))
    assert.strictEqual((await WebClient.send("POST", `${url}/notes`, { txt: "hi" })).status, 400)
    assert.deepStrictEqual(await WebClient.get(`${url}/notes`), json([{ text: "hi" }]))
    assert.deepStrictEqual(await WebClient.send("PUT", `${url}/uploads`, "x".repeat(998)), json({ bytes: 1000 }))

    // It says that much will come, sends some of it, and goes on sending when it has its answer.
    const large = await RawClient.connect(url.replace("http:", "tcp:"))
    await large.send("PUT /uploads HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n")
    await large.send(Buffer.alloc(1_000_000))
    await large.hears(`{"bytesMax":8388608}`)
    assert.strictEqual(await large.ended(), "FIN")
    assert.match(large.text, /^HTTP\/1.1 413 /)

    assert.deepStrictEqual(await WebClient.get(`${admin}/readyz`), { status: 200, text: "ok", ending: "end" })
    const { text } = await WebClient.get(`${admin}/metrics`)
    // Five have asked the app, and two the admin port.
    assert.match(text, /^finwait_connections_accepted_total 7$/m)
    program.signal("SIGTERM")
    await ended(program, 0)
  })

  it("is told to stop in the middle of everything: each of it comes to its end", many, async () => {
    const { admin, program, url } = await starting({ LAME_DUCK: "2 seconds" })
    const job = new WebClient(`${url}/jobs`, { method: "POST", headers: { "content-type": "application/json" } })
    job.request.end(JSON.stringify({ millis: 3500 }))
    const [half, rest] = [Buffer.alloc(1_000_000), Buffer.alloc(2_000_000)]
    const upload = new WebClient(`${url}/uploads`, { method: "PUT", headers: { "content-length": 3_000_000 } })
    upload.request.write(half)
    const download = new WebClient(`${url}/download`)
    await download.begins()
    // So much that no buffer holds it is on its way.
    download.response!.pause()
    const events = new WebClient(`${url}/events`)
    const socket = new WebSocket(url.replace("http:", "ws:") + "/echo")
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve))
    const echoed = new Promise<unknown>((resolve) => socket.addEventListener("message", ({ data }) => resolve(data)))
    socket.addEventListener("open", () => socket.send("hello"))
    const drain = new WebClient(`${admin}/drainz`, { headers: { accept: "text/event-stream" } })
    await Promise.all([program.says("job of 3500 ms"), events.hears("data: 1\n"), drain.hears("Serving"), echoed])
    assert.strictEqual(await echoed, "hello")

    program.signal("SIGTERM")
    // A lame duck: no longer ready, and serving whoever comes.
    await drain.hears(`"phase":"LameDuck"`)
    assert.deepStrictEqual(await WebClient.get(`${admin}/readyz`), {
      status: 503,
      text: "[-]server failed: LameDuck\nreadyz check failed\n",
      ending: "end"
    })
    assert.deepStrictEqual(await WebClient.get(`${url}/notes`), { status: 200, text: "[]", ending: "end" })
    // Everybody has been told; the admin port tells how far it is.
    await drain.hears(`"phase":"Waiting"`)
    assert.strictEqual((await WebClient.get(`${admin}/livez`)).status, 200)
    assert.strictEqual((await WebClient.get(`${url}/notes`)).ending, "ECONNREFUSED")
    upload.request.end(rest)
    download.response!.resume()

    assert.deepStrictEqual(await upload.answer(), { status: 200, text: `{"bytes":3000000}`, ending: "end" })
    assert.strictEqual((await download.answer()).ending, "end")
    const whole = Buffer.concat(Array.from({ length: 24 }, (_, n) => Buffer.alloc(1024 * 1024, n + 1)))
    assert.isTrue(download.bytes.equals(whole))
    const { code, wasClean } = await closed
    assert.deepStrictEqual({ code, wasClean }, { code: 1001, wasClean: true })
    const last = await events.answer()
    assert.strictEqual(last.ending, "end")
    assert.match(last.text, /^data: 0\n\n(data: \d+\n\n)+: the server is going away\n\n$/)
    assert.deepStrictEqual(await job.answer(), {
      status: 200,
      text: JSON.stringify({ worked: 3500, by: program.pid }),
      ending: "end"
    })
    assert.strictEqual((await drain.answer()).ending, "end")

    const report = await ended(program, 6)
    assert.deepStrictEqual(
      [...new Set(drain.events.map(({ phase }) => phase))],
      ["Serving", "LameDuck", "Backlog", "Waiting", "Done"]
    )
    assert.deepStrictEqual(drain.events.at(-1).report, report)
    assert.deepStrictEqual(report["outcomes"], { Graceful: 6, LingerExpired: 0, ResetByPeer: 0, Aborted: 0 })
  })
})

describe.concurrent("http2-api", () => {
  const certificates = join(import.meta.dirname, "../packages/node/test/fixtures/certificates")
  const ca = readFileSync(join(certificates, "ca.crt"))

  /** What a session hears: one of its answers, line by line, and what it is told itself. */
  const connect = (url: string) => {
    const session = http2.connect(url, { ca })
    const told: Array<string> = []
    session.on("goaway", (code) => told.push(`GOAWAY ${code}`))
    session.on("error", ({ message }: Error) => told.push(message))
    const closed = new Promise<void>((resolve) => session.once("close", resolve))
    const get = (path: string) => {
      const stream = session.request({ ":path": path })
      let text = ""
      let hears = () => {}
      stream.setEncoding("utf8").on("data", (more: string) => {
        text += more
        hears()
      })
      const answer = new Promise<string>((resolve) => {
        stream.once("end", () => resolve(text))
        stream.once("error", ({ message }) => resolve(`${text}${message}`))
      })
      const heard = (part: string) =>
        new Promise<void>((resolve) => {
          hears = () => text.includes(part) && resolve()
          hears()
        })
      return { answer, heard }
    }
    return { closed, get, told }
  }

  const linesTo = (count: number) => Array.from({ length: count }, (_, n) => `{"line":${n + 1}}\n`).join("")

  it("is told to stop while streams run, over both versions: each goes on to its end", many, async () => {
    const env = { KEY: join(certificates, "server.key"), CERT: join(certificates, "server.crt") }
    const program = start("http2-api", { PORT: "0", ...env })
    const address = await program.listening()
    const url = address.replace("tcp:", "https:")
    const session = connect(url)
    const hello = JSON.stringify({ hello: "world", by: program.pid })
    assert.strictEqual(await session.get("/").answer, hello)
    assert.deepStrictEqual(await WebClient.get(url, { ca }), { status: 200, text: hello, ending: "end" })
    const [first, second] = [session.get("/lines?count=6&millis=150"), session.get("/lines?count=8&millis=150")]
    const old = new WebClient(`${url}/lines?count=5&millis=150`, { ca })
    const idle = connect(url)
    assert.strictEqual(await idle.get("/").answer, hello)
    await Promise.all([first.heard(linesTo(2)), second.heard(linesTo(2)), old.hears(linesTo(2))])

    program.signal("SIGTERM")
    await idle.closed
    assert.strictEqual(await first.answer, linesTo(6))
    assert.strictEqual(await second.answer, linesTo(8))
    assert.deepStrictEqual(await old.answer(), { status: 200, text: linesTo(5), ending: "end" })
    await session.closed
    assert.deepStrictEqual([idle.told, session.told], [["GOAWAY 0"], ["GOAWAY 0"]])
    await endedClean(program, address, 3)
  })
})
