/**
 * The load generator for systems without a C compiler or without epoll, and for TLS and HTTP/2: `native/loadgen.c` in
 * Node, with the same options and the same lines. It is slower than what it measures, which its own share of the
 * processor shows.
 */
import type * as net from "node:net"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { type Asking, Client, fail, total, type To } from "./client.ts"
import { readExchange } from "./exchange.ts"
import { Http2Client } from "./http2Client.ts"
import { cpuSeconds, rssKib } from "./procfs.ts"
import { quantile } from "./statistics.ts"

const names = [
  "to",
  "transport",
  "mode",
  "exchange",
  "size",
  "conns",
  "depth",
  "seconds",
  "warm",
  "pid",
  "busy",
  "hold",
  "patience",
  "spin"
] as const
const { values } = parseArgs({
  options: Object.fromEntries(names.map((name) => [name, { type: "string", default: "" }] as const))
})
const text = (name: (typeof names)[number]): string => String(values[name])
const number = (name: (typeof names)[number]): number => Number(text(name))

const mode = text("mode")
const connections = number("conns")
const server = number("pid")
const inFlight = 128

const to: To = {
  address: text("to"),
  transport: text("transport"),
  exchange: readExchange(text("exchange")),
  requestBytes: number("size")
}

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

let latencies: Array<number> | undefined

const connect = (onReady: (client: Asking) => void): Asking =>
  to.transport === "h2" ? new Http2Client(to, onReady) : new Client(to, onReady)

/** Opens them all, a few at a time; with `served` each is also asked once, so that the server has accepted it. */
const openAll = (served: boolean): Promise<ReadonlyArray<Asking>> =>
  new Promise((resolve) => {
    const clients: Array<Asking> = []
    let opened = 0
    const one = () => {
      if (++opened === connections) return resolve(clients)
      if (clients.length < connections) open()
    }
    const open = () => {
      const client = connect(() => {
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

/** What the mode is there for. */
const amount = (): number => {
  if (mode === "up") return total.out
  return mode === "down" || mode === "both" ? total.in : total.ops
}
const patienceMillis = 10_000
const untilMoreThan = async (before: number): Promise<void> => {
  const end = performance.now() + patienceMillis
  while (amount() <= before && performance.now() < end) await wait(0.01)
}

/**
 * From the end of the warm-up on. Begins with the first answer, and ends with another: a server that is cold takes its
 * time where others are busy.
 */
const measured = async (): Promise<never> => {
  await wait(number("warm"))
  await untilMoreThan(0)
  latencies = []
  const before = amount()
  const [base, cpu, serverCpu, at] = [{ ...total }, ownCpu(), cpuSeconds(server), performance.now()]
  await wait(number("seconds"))
  await untilMoreThan(before)
  say({
    ops: total.ops - base.ops,
    bytes: mode === "up" ? total.out - base.out : total.in - base.in,
    seconds: (performance.now() - at) / 1000,
    serverCpu: cpuSeconds(server) - serverCpu,
    ownCpu: ownCpu() - cpu,
    p50Micros: latencies.length === 0 ? 0 : quantile(latencies, 0.5),
    p99Micros: latencies.length === 0 ? 0 : quantile(latencies, 0.99),
    errors: total.errors - base.errors
  })
  process.exit(0)
}

const throughput = async () => {
  const clients = await openAll(mode === "ping")
  const { requests } = to.exchange
  const block = Buffer.concat(Array.from({ length: Math.ceil(65536 / requests.length) }, () => requests))
  const pour = (socket: net.Socket): void => {
    socket.write(block, () => {
      total.out += block.length
      pour(socket)
    })
  }
  for (const client of clients) {
    if (mode === "ping") {
      let sentAt = performance.now()
      client.onAnswer = (client, messages) => {
        const now = performance.now()
        latencies?.push((now - sentAt) * 1000)
        sentAt = now
        client.ask(messages)
      }
      client.ask(number("depth"))
    } else if (mode !== "down" && client instanceof Client) pour(client.socket)
  }
  return measured()
}

const churn = () => {
  const again = (): void => {
    const client = connect((client) => client.ask(1))
    const from = performance.now()
    client.onAnswer = () => client.part()
    client.onEnd = (_, error) => {
      if (error !== undefined || !client.isParted) total.errors++
      latencies?.push((performance.now() - from) * 1000)
      again()
    }
  }
  for (let i = 0; i < connections; i++) again()
  return measured()
}

const hold = async () => {
  const rssBefore = rssKib(server)
  const clients = await openAll(true)
  for (const client of clients.slice(0, Math.floor((connections * number("busy")) / 100))) {
    client.onAnswer = () => client.ask(1)
    client.ask(1)
  }
  await wait(number("hold"))
  say({ event: "open", rssBefore, rss: rssKib(server) })
  for await (const command of createInterface(process.stdin)) {
    if (command === "exit") break
    const ended = { closed: 0, resets: 0, unanswered: 0 }
    const [at, cpu, serverCpu] = [performance.now(), ownCpu(), cpuSeconds(server)]
    const all = new Promise<void>((resolve) => {
      for (const client of clients) {
        client.isEnding = true
        client.onEnd = (_, error) => {
          if (error !== undefined) ended.resets++
          if (!client.isAnswered) ended.unanswered++
          if (++ended.closed === connections) resolve()
        }
      }
    })
    if (command === "wait") say({ event: "waiting" })
    else for (const client of clients) client.part()
    await Promise.race([all, wait(number("patience"))])
    const seconds = (performance.now() - at) / 1000
    const cpuMicros = ((cpuSeconds(server) - serverCpu) * 1e6) / connections
    say({ event: "closed", ...ended, seconds, cpuMicros, ownCpu: ownCpu() - cpu })
    break
  }
  process.exit(0)
}

if (connections === 0) fail("nobody is to connect")
await (mode === "hold" ? hold() : mode === "churn" ? churn() : throughput())
