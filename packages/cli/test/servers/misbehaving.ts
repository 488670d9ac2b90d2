/** Servers that make it hard to check them: the first argument says how. */
import { spawn } from "node:child_process"
import * as net from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

const [how = "", child] = process.argv.slice(2)
const port = Number(process.env["PORT"])
const answering = () =>
  net.createServer({ allowHalfOpen: false }, (socket) => {
    socket.on("error", () => {})
    socket.on("data", (chunk) => socket.write(String(chunk).endsWith("\n") ? "PONG\n" : ""))
  })
const listen = () => void answering().listen(port, "127.0.0.1")

switch (how) {
  case "never-listens":
    process.stderr.write("cannot open the database\n")
    setInterval(() => {}, 1000)
    break
  case "listens-late":
    await sleep(1500)
    listen()
    break
  case "crashes-at-start":
    process.stderr.write("Error: no configuration\n")
    process.exit(3)
    break
  case "crashes-at-the-signal":
    listen()
    process.on("SIGTERM", () => process.abort())
    break
  case "ignores-the-signal":
    listen()
    process.on("SIGTERM", () => {})
    break
  case "forks-and-exits":
    if (child === undefined) {
      spawn(process.execPath, [import.meta.filename, how, "child"], { detached: true, stdio: "ignore" }).unref()
      process.exit(0)
    }
    listen()
    break
  case "has-a-shell-in-front":
    listen()
    break
  case "writes-a-lot": {
    listen()
    const line = `${"log ".repeat(2000)}\n`
    setInterval(() => {
      for (let i = 0; i < 200; i++) process.stdout.write(line)
    }, 5)
    break
  }
  case "closes-at-once":
    net.createServer((socket) => socket.on("error", () => {}).destroy()).listen(port, "127.0.0.1")
    break
}
