/** A server of HTTP that says which answer is the last; or one that goes on and on (FLAW=never-done), or says nothing. */
import * as http from "node:http"
import * as net from "node:net"

const flaw = process.env["FLAW"]
let isDraining = false
const server = http.createServer({ keepAliveTimeout: 60_000 }, (_, response) => {
  if (isDraining && flaw === undefined) response.setHeader("connection", "close")
  response.end("hello")
})
server.listen(Number(process.env["PORT"]), "127.0.0.1")
process.on("SIGTERM", () => {
  isDraining = true
  if (flaw === "silent") {
    // Cuts whoever waits for an answer, too.
    setTimeout(() => server.closeAllConnections(), 20)
    server.close(() => process.exit(0))
    return
  }
  // `close` of HTTP's ends those that are idle for a moment as well.
  net.Server.prototype.close.call(server, () => process.exit(0))
  setTimeout(() => server.closeIdleConnections(), 400)
})
