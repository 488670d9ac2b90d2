/** A server of WebSockets that says 1001 when it goes away; or says nothing (FLAW=untold). */
import { WebSocketServer } from "ws"

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env["PORT"]) })
server.on("connection", (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })))
process.on("SIGTERM", () => {
  server.close(() => process.exit(0))
  if (process.env["FLAW"] === "untold") return
  for (const socket of server.clients) socket.close(1001)
})
