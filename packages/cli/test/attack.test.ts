/** What was found by attacking the check: each of these was a lie, a loss, or something left behind. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { readTable } from "../src/clients/kernel.ts"
import { main, run } from "./support/command.ts"

const folder = mkdtempSync(join(tmpdir(), "finwait-attack-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const check = async (...words: ReadonlyArray<string>) => {
  const { code, stderr, stdout } = await run("check", ...words)
  return { code, said: stdout + stderr }
}

/** A server's program, of this name. */
const program = (name: string, source: string): string => {
  const file = join(folder, name)
  writeFileSync(file, source)
  return file
}

const linux = process.platform === "linux"

describe("attacks", () => {
  it("a report that cannot be written is said before the server is started", { timeout: 20_000 }, async () => {
    const trace = join(folder, "started")
    const { code, said } = await check("--json", join(folder, "none", "r.json"), "--", "touch", trace)
    assert.strictEqual(code, 2)
    assert.match(said, /--json .*ENOENT/)
    assert.isFalse(existsSync(trace))
  })

  it("a connection to ::1 is seen in the kernel's table", { skip: !linux }, async (context) => {
    const server = net.createServer().listen(0, "::1")
    const isListening = await new Promise<boolean>((resolve) => {
      server.once("listening", () => resolve(true)).once("error", () => resolve(false))
    })
    if (!isListening) return context.skip("this machine has no IPv6")
    const { port } = server.address() as net.AddressInfo
    const socket = net.connect(port, "::1")
    await new Promise((resolve) => socket.once("connect", resolve))
    assert.strictEqual(readTable()?.stateOf(socket.localPort!, port), "established")
    socket.destroy()
    server.close()
  })

  it("a server on a Unix socket starts again where the one before was killed", { timeout: 30_000 }, async () => {
    const path = join(folder, "s.sock")
    const file = program(
      "server.mjs",
      `import net from "node:net"
const all = new Set()
const server = net.createServer((socket) => {
  all.add(socket.on("close", () => all.delete(socket)))
  socket.on("error", () => {}).on("data", (data) => socket.write(data))
}).listen(process.argv[2])
process.on("SIGTERM", () => { server.close(); for (const socket of all) socket.end() })
`
    )
    const words = ["--profile", "line", "--unix", path, "--only", "S2a", "--", process.execPath, file, path]
    const { code, said } = await check(...words)
    assert.strictEqual(code, 0, said)
    assert.isFalse(existsSync(path))
  })

  it("an upload that is guessed, and reset, is one whose answer is lost", { timeout: 60_000 }, async () => {
    const file = program(
      "resets.mjs",
      `import net from "node:net"
net.createServer((socket) => {
  socket.on("error", () => {}).on("data", (data) => {
    if (String(data).startsWith("GET")) socket.write("HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok")
    else socket.resetAndDestroy()
  })
}).listen(process.env.PORT)
process.on("SIGTERM", () => process.exit(0))
`
    )
    const { code, said } = await check("--only", "S4", "--", process.execPath, file)
    assert.strictEqual(code, 1, said)
    assert.match(said, /upload: +POST \/ \(RST\), found/)
    assert.match(said, /S4: 80 of 80 uploading: the answer did not come whole/)
  })

  it("workers that ended a moment behind their parent were not left behind", { timeout: 60_000 }, async () => {
    // The parent does not wait for them, and where the first process of a container does not either, zombies stay.
    const file = program(
      "workers.mjs",
      `import cluster from "node:cluster"
import http from "node:http"
if (cluster.isPrimary) {
  for (let i = 0; i < 3; i++) cluster.fork()
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill("SIGTERM")
    cluster.disconnect(() => process.exit(0))
  })
} else {
  const server = http.createServer((request, response) => response.end("ok")).listen(process.env.PORT)
  process.on("SIGTERM", () => server.close(() => process.exit(0)))
}
`
    )
    const { code, said } = await check("--only", "S2a,S9", "--", process.execPath, file)
    assert.strictEqual(code, 0, said)
  })

  it("a limit of open files is said of a pass as well", { timeout: 60_000, skip: !linux }, async () => {
    const file = program(
      "echo.mjs",
      `import net from "node:net"
const all = new Set()
const server = net.createServer((socket) => {
  all.add(socket.on("error", () => {}).on("data", (data) => socket.write(data)))
}).listen(process.env.PORT)
process.on("SIGTERM", () => { server.close(); for (const socket of all) socket.end() })
`
    )
    const line = `ulimit -n 500; exec "$0" "$@"`
    const words = ["check", "--profile", "line", "--only", "S8", "--connections", "5000", "--", process.execPath, file]
    const { status, stdout } = spawnSync("sh", ["-c", line, process.execPath, main, ...words], { encoding: "utf8" })
    assert.strictEqual(status, 0, stdout)
    assert.match(stdout, /S8: 300 connections: the limit of open files allows no more/)
  })

  it("an answer that came before the signal is not one that was waited for", { timeout: 60_000 }, async () => {
    const trace = join(folder, "asked")
    const file = program(
      "cached.mjs",
      `import { existsSync, writeFileSync } from "node:fs"
import http from "node:http"
http.createServer((request, response) => {
  if (request.url !== "/slow" || existsSync(process.argv[2])) return response.end("at once")
  writeFileSync(process.argv[2], "")
  setTimeout(() => response.end("after a while"), 1500)
}).listen(process.env.PORT)
process.on("SIGTERM", () => process.exit(0))
`
    )
    const { code, said } = await check("--only", "S1", "--http", "/slow", "--", process.execPath, file, trace)
    assert.strictEqual(code, 1, said)
    assert.match(said, /S1: the answer had come before the signal/)
    assert.match(said, /1 not run/)
  })
})
