/** `node:net`, or `node:tls`, and nothing else; or the same in a process that has loaded what a Finwait server loads. */
import * as net from "node:net"
import { backlog, block, command, onCommand, ready } from "./command.ts"
import * as Parsers from "./parsers.ts"

const source = (socket: net.Socket): void => {
  const fill = () => {
    while (socket.write(block));
  }
  socket.on("drain", fill).resume()
  fill()
}

const echo = (socket: net.Socket): void => void socket.on("data", (chunk) => socket.write(chunk))

const framed = (socket: net.Socket): void => {
  const answer = Parsers.answering(command.service)
  socket.on("data", (chunk) => {
    const answers = answer(chunk)
    if (answers !== undefined) socket.write(answers)
  })
}

const services: Record<string, (socket: net.Socket) => void> = {
  echo,
  sink: (socket: net.Socket) => void socket.on("data", () => {}),
  source,
  lines: framed,
  u32: framed
}

if (command.variant === "loaded") {
  await Promise.all(
    ["@finwait/node/NodeNetwork", "@finwait/node/NodeProcess", "finwait/Server"].map((name) => import(name))
  )
}

/** Who is open, and each one's place: a `Set` would cost a bare server a fifth of its churn (see Finwait's `bag.ts`). */
const open: Array<net.Socket> = []
const place = Symbol("place")
interface Placed extends net.Socket {
  [place]: number
}
function leave(this: net.Socket) {
  const last = open.pop() as Placed
  if (last === this) return
  last[place] = (this as Placed)[place]
  open[last[place]] = last
}
const serve = (socket: net.Socket): void => {
  ;(socket as Placed)[place] = open.push(socket) - 1
  socket.on("close", leave).on("error", () => {})
  services[command.service]!(socket)
}
/** Loaded by those who need it. */
const secured = async (): Promise<net.Server> => {
  const [tls, { certificate }] = await Promise.all([import("node:tls"), import("./certificate.ts")])
  return tls.createServer({ noDelay: true, ...certificate() }, serve)
}
const server = command.transport === "tls" ? await secured() : net.createServer({ noDelay: true }, serve)
server.listen(
  { backlog, ...(command.path === undefined ? { host: "127.0.0.1", port: 0 } : { path: command.path }) },
  () => {
    const address = server.address()
    ready(address !== null && typeof address === "object" ? address.port : 0)
  }
)
onCommand(() => {
  server.close()
  for (const socket of open) socket.end()
})
