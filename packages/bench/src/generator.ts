/**
 * The load generator for systems without a C compiler or without epoll: `native/loadgen.c` in Node, with the same options
 * and the same lines. It is slower than what it measures, which its own share of the processor shows.
 */
import * as net from "node:net"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { quantile } from "./statistics.ts"

const names = ["to", "mode", "conns", "size", "depth", "seconds", "warm", "frame", "pid", "busy", "spin"] as const
const { values } = parseArgs({
  options: Object.fromEntries(names.map((name) => [name, { type: "string", default: "" }] as const))
})
const text = (name: (typeof names)[number]): string => String(values[name])
const number = (name: (typeof names)[number]): number => Number(text(name))

const mode = text("mode")
const size = number("size")
const connections = number("conns")
const inFlight = 128

const message = Buffer.alloc(size, "a")
if (text("frame") === "line") message[size - 1] = 10
if (text("frame") === "u32") message.writeUInt32BE(size - 4)

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const fail = (what: string): never => {
  process.stderr.write(`generator: ${what}\n`)
  process.exit(1)
}

const total = { ops: 0, in: 0, out: 0, errors: 0 }
let latencies: Array<number> | undefined

class Client {
  readonly socket: net.Socket
  missing = 0
  private sentAt = 0
  onAnswer: (client: Client, messages: number) => void = () => {}
  onEnd: (client: Client, error: Error | undefined) => void = () => fail("the server ended a connection")

  constructor(onConnect: (client: Client) => void) {
    const to = text("to")
    const options = to.includes("/") ? { path: to } : { host: "127.0.0.1", port: Number(to), noDelay: true }
    let problem: Error | undefined
    this.socket = net.connect({ ...options, allowHalfOpen: true }, () => onConnect(this))
    this.socket.on("data", (chunk) => this.take(chunk.length))
    this.socket.on("error", (error) => (problem = error))
    this.socket.on("end", () => this.socket.end())
    this.socket.on("close", () => this.onEnd(this, problem))
  }

  ask(messages: number): void {
    this.missing += messages * size
    this.sentAt = performance.now()
    for (let i = 0; i < messages; i++) this.socket.write(message)
  }

  private take(bytes: number): void {
    total.in += bytes
    const before = Math.ceil(this.missing / size)
    this.missing = Math.max(0, this.missing - bytes)
    const answers = before - Math.ceil(this.missing / size)
    if (answers === 0) return
    total.ops += answers
    latencies?.push((performance.now() - this.sentAt) * 1000)
    this.onAnswer(this, answers)
  }
}

/** Opens them all, a few at a time; with `served` each is also asked once, so that the server has accepted it. */
const openAll = (served: boolean): Promise<ReadonlyArray<Client>> =>
  new Promise((resolve) => {
    const clients: Array<Client> = []
    let opened = 0
    const one = () => {
      if (++opened === connections) return resolve(clients)
      if (clients.length < connections) open()
    }
    const open = () => {
      const client = new Client(() => {
        if (!served) return one()
        client.onAnswer = () => {
          client.onAnswer = () => {}
          one()
        }
        client.ask(1)
      })
      clients.push(client)
    }
    for (let i = 0; i < Math.min(inFlight, connections); i++) open()
  })

const ownCpu = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}
const wait = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

/** From the end of the warm-up on. */
const measured = async (): Promise<never> => {
  await wait(number("warm"))
  latencies = []
  const [base, cpu, at] = [{ ...total }, ownCpu(), performance.now()]
  await wait(number("seconds"))
  say({
    ops: total.ops - base.ops,
    bytes: mode === "up" ? total.out - base.out : total.in - base.in,
    seconds: (performance.now() - at) / 1000,
    serverCpu: 0,
    ownCpu: ownCpu() - cpu,
    p50Micros: latencies.length === 0 ? 0 : quantile(latencies, 0.5),
    p99Micros: latencies.length === 0 ? 0 : quantile(latencies, 0.99),
    errors: total.errors - base.errors
  })
  process.exit(0)
}

const throughput = async () => {
  const clients = await openAll(mode === "ping")
  const block = Buffer.concat(Array.from({ length: Math.ceil(65536 / size) }, () => message))
  const pour = (socket: net.Socket): void => {
    socket.write(block, () => {
      total.out += block.length
      pour(socket)
    })
  }
  for (const client of clients) {
    if (mode === "ping") {
      client.onAnswer = (client, messages) => client.ask(messages)
      client.ask(number("depth"))
    } else if (mode !== "down") pour(client.socket)
  }
  return measured()
}

const churn = () => {
  const again = (): void => {
    const client = new Client((client) => client.ask(1))
    let answered = false
    client.onAnswer = () => {
      answered = true
      client.socket.end()
    }

    client.onEnd = (_, error) => {
      if (error !== undefined || !answered) total.errors++
      again()
    }
  }
  for (let i = 0; i < connections; i++) again()
  return measured()
}

const hold = async () => {
  const clients = await openAll(true)
  for (const client of clients.slice(0, Math.floor((connections * number("busy")) / 100))) {
    client.onAnswer = () => client.ask(1)
    client.ask(1)
  }
  await wait(0.3)
  say({ event: "open", rssBefore: 0, rss: 0 })
  for await (const command of createInterface(process.stdin)) {
    if (command === "exit") break
    const ended = { closed: 0, resets: 0, unanswered: 0 }
    const [at, cpu] = [performance.now(), ownCpu()]
    const all = new Promise<void>((resolve) => {
      for (const client of clients)
        client.onEnd = (_, error) => {
          if (error !== undefined) ended.resets++
          if (client.missing > 0) ended.unanswered++
          if (++ended.closed === connections) resolve()
        }
    })
    if (command === "wait") say({ event: "waiting" })
    else for (const { socket } of clients) socket.end()
    await all
    const seconds = (performance.now() - at) / 1000
    say({ event: "closed", ...ended, seconds, cpuMicros: 0, ownCpu: ownCpu() - cpu })
    break
  }
  process.exit(0)
}

await (mode === "hold" ? hold() : mode === "churn" ? churn() : throughput())
