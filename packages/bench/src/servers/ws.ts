/** `ws` and nothing else; or the same in a process that has loaded what a Finwait server loads. */
import { WebSocketServer } from "ws"
import { backlog, command, onCommand, ready } from "./command.ts"

if (command.variant === "loaded") {
  await Promise.all(
    ["@finwait/node/NodeWebSocket", "@finwait/node/NodeProcess", "finwait/Server"].map((name) => import(name))
  )
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, backlog })
server.on("connection", (socket) => {
  socket
    .on("error", () => {})
    .on("message", (message, isBinary) => socket.send(message as Buffer, { binary: isBinary }))
})
server.on("listening", () => {
  const address = server.address()
  ready(address !== null && typeof address === "object" ? address.port : 0)
})
onCommand(() => {
  server.close()
  for (const socket of server.clients) socket.close(1001)
})
