/** `ws` and nothing else. */
import { WebSocketServer } from "ws"
import { backlog, onCommand, ready } from "./command.ts"

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
