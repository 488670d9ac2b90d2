/** `ws` behind `node:http`, and nothing else. */
import { createServer } from "node:http"
import { type WebSocket, WebSocketServer } from "ws"
import { backlog, onCommand, ready } from "./command.ts"

const sockets = new WebSocketServer({ noServer: true })
const serve = (socket: WebSocket): void => {
  socket
    .on("error", () => {})
    .on("message", (message, isBinary) => socket.send(message as Buffer, { binary: isBinary }))
}

const server = createServer().on("upgrade", (request, socket, head) =>
  sockets.handleUpgrade(request, socket, head, (socket) => serve(socket))
)
server.listen({ host: "127.0.0.1", port: 0, backlog }, () => {
  const address = server.address()
  ready(address !== null && typeof address === "object" ? address.port : 0)
})
onCommand(() => {
  server.close()
  for (const socket of sockets.clients) socket.close(1001)
})
