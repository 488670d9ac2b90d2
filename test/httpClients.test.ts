/**
 * An HTTP server that is told to stop by SIGTERM, and clients that others have written: undici, the agent of node:http,
 * curl, nghttp, h2load and Chromium. What they have of an answer they have whole, and the server was asked no more often
 * than they were answered: so nothing was lost, and nothing was quietly asked again. Which of Debian's tools is not here
 * costs its tests, which say so and are skipped.
 */
import { execFile, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { createReadStream, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Browser, chromium, type Page } from "playwright-core"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { folder as certificates } from "../packages/node/test/support/certificates.ts"
import type { Asking, Heard, Who } from "./http/agents.ts"
import type { Protocol } from "./http/app.ts"
import { Alone, boundMillis, childOf, type Drained } from "./http/Drained.ts"
import { bodyOf, isBodyOf } from "./http/filler.ts"

/** Only tells an end from a hang: a browser takes its time to start. */
const timeout = 60_000

/** In the middle of it all: so many have asked when the server is told to stop. */
const askedBefore = 200

const mebibyte = 1024 * 1024
const downloadBytes = 64 * mebibyte

/** Where a command is, if it is. */
const pathOf = (command: string): string | undefined => {
  const { status, stdout } = spawnSync("sh", ["-c", `command -v ${command}`], { encoding: "utf8" })
  return status === 0 ? stdout.trim() : undefined
}

const without = (command: string) => {
  const isThere = pathOf(command) !== undefined
  return { skipped: !isThere, note: isThere ? "" : ` (skipped here, there is no ${command})` }
}

const servers: Array<Alone> = []

afterEach(() => {
  for (const { child } of servers.splice(0)) child.kill()
})

const start = async (protocol: Protocol) => {
  const server = await Alone.start({ protocol })
  servers.push(server)
  const scheme = protocol === "http" || protocol === "h2c" ? "http" : "https"
  return { server, url: `${scheme}://127.0.0.1:${server.port}` }
}

const assertClean = ({ report }: Drained) => assert.isTrue(report?.clean, JSON.stringify(report))

const hashOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex")

interface Run {
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
}

/** A command, how it ended, and what it said. */
const run = (command: string, ...args: ReadonlyArray<string>): Promise<Run> =>
  new Promise((resolve) => {
    const options = { encoding: "buffer", maxBuffer: 256 * mebibyte, timeout: boundMillis } as const
    execFile(command, args, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr: stderr.toString() })
    )
  })

const kinds: ReadonlyArray<{ readonly who: Who; readonly protocol: Protocol }> = [
  { who: "undici", protocol: "http" },
  { who: "undici HTTP/2", protocol: "h2" },
  { who: "node:http", protocol: "http" }
]

describe("HTTP clients of Node, while their server drains", { timeout }, () => {
  it.each(kinds)("$who has every request answered, and finds nobody afterwards", async ({ protocol, who }) => {
    const agents = childOf("agents.ts")
    try {
      const { server, url } = await start(protocol)
      const asking: Asking = { who, url, loops: 32 }
      const heard = agents.ask<Heard>("ask", asking, boundMillis)
      await server.asked(askedBefore)
      const drained = await server.drain()
      const { failed, whole, wrong } = await heard
      console.log(`${who}: ${drained.asked} asked, ${whole} answered whole, failed ${JSON.stringify(failed)}`)
      assert.deepStrictEqual({ whole, wrong, failed }, { whole: drained.asked, wrong: 0, failed: { ECONNREFUSED: 32 } })
      assertClean(drained)
    } finally {
      agents.kill()
    }
  })
})

const curl = without("curl")

describe.skipIf(curl.skipped)(`curl, while its server drains${curl.note}`, { timeout }, () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "finwait-http-curl-"))
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const bytes = 3_000
  const urls = 5_000
  const quiet = ["--silent", "--show-error", "--max-time", "25", "--cacert", join(certificates, "ca.crt")]

  const ways: ReadonlyArray<{ readonly how: string; readonly protocol: Protocol; readonly flags: Array<string> }> = [
    { how: "HTTP/1.1", protocol: "http", flags: ["--http1.1"] },
    { how: "HTTP/1.1 over TLS", protocol: "https", flags: ["--http1.1"] },
    { how: "HTTP/2 over TLS", protocol: "h2", flags: ["--http2"] },
    { how: "HTTP/2 by prior knowledge", protocol: "h2c", flags: ["--http2-prior-knowledge"] }
  ]

  /** Debian's curl 7.88 cannot ask twice on a connection of prior knowledge, whoever serves. */
  const repeated = ways.filter(({ protocol }) => protocol !== "h2c")

  it.each(repeated)(
    "$how: has its answers one by one, on one connection, until nobody listens",
    async ({ flags, protocol }) => {
      const { server, url } = await start(protocol)
      const asking = run("curl", ...quiet, ...flags, "-v", "--fail-early", `${url}/[1-${urls}]/0/${bytes}`)
      await server.asked(askedBefore)
      const drained = await server.drain()
      const { code, stderr, stdout } = await asking
      // Curl's own: it could not connect. Curl 7.88 does not ask elsewhere what has crossed GOAWAY: that is 16.
      assert.include(protocol === "h2" ? [7, 16] : [7], code, stderr.slice(-400))
      // It asks again by itself when a connection that it has kept turns out to be closed: what has crossed GOAWAY as well.
      if (protocol !== "h2") assert.notMatch(stderr, /died|retry/i)
      assert.isAtLeast(drained.asked, askedBefore)
      assert.strictEqual(stdout.length, drained.asked * bytes)
      for (let id = 1; id <= drained.asked; id++) {
        assert.isTrue(isBodyOf(stdout.subarray((id - 1) * bytes, id * bytes), id, bytes), `answer ${id}`)
      }
      assertClean(drained)
    }
  )

  it.each(repeated)("$how: has twenty at a time, and every one whole", async ({ flags, protocol }) => {
    const { server, url } = await start(protocol)
    const written = ["--output", join(folder, "#1"), "--write-out", "%{urlnum} %{exitcode} %{http_code}\n"]
    const parallel = ["--parallel", "--parallel-max", "20"]
    const asking = run("curl", ...quiet, ...flags, ...parallel, ...written, "-v", `${url}/[1-${urls}]/2/${bytes}`)
    await server.asked(askedBefore)
    const drained = await server.drain()
    const { stderr, stdout } = await asking
    const ends = stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
    const counts = Object.groupBy(ends, ([, code, status]) => `${code} ${status}`)
    // As above: 16 for what has crossed GOAWAY, or once more on another connection.
    const crossed = protocol === "h2" && counts["16 000"] !== undefined ? ["16 000"] : []
    assert.sameMembers(Object.keys(counts), ["0 200", "7 000", ...crossed], stderr.slice(-400))
    if (protocol !== "h2") assert.notMatch(stderr, /died/i)
    const whole = readdirSync(folder).filter((id) => isBodyOf(readFileSync(join(folder, id)), Number(id), bytes))
    assert.strictEqual(whole.length, drained.asked)
    assert.strictEqual(counts["0 200"]!.length, drained.asked)
    assertClean(drained)
  })

  it.each(ways)("$how: has 64 MiB whole, half of which the server sends when it is told to stop", async (way) => {
    const { server, url } = await start(way.protocol)
    const asking = run("curl", ...quiet, ...way.flags, `${url}/7/0/${downloadBytes}/held`)
    await server.asked(1)
    const drained = await server.drain()
    const { code, stderr, stdout } = await asking
    assert.strictEqual(code, 0, stderr)
    assert.strictEqual(hashOf(stdout), hashOf(bodyOf(7, downloadBytes)))
    assertClean(drained)
  })
})

const nghttp = without("h2load")

describe.skipIf(nghttp.skipped)(`nghttp2's clients, while their server drains${nghttp.note}`, { timeout }, () => {
  const bytes = 3_000

  it.each(["h2c", "h2"] as const)("nghttp has whole what it was not told to ask elsewhere: %s", async (protocol) => {
    const { server, url } = await start(protocol)
    // With its own small windows Node resets streams that have not been sent to the end, drain or no drain.
    const windows = ["-w", "28", "-W", "28"]
    const asking = run("nghttp", "-n", "-s", "-m", "3000", ...windows, "--no-verify-peer", `${url}/1/1/${bytes}`)
    await server.asked(askedBefore)
    const drained = await server.drain()
    const { stderr, stdout } = await asking
    const answers = stdout
      .toString()
      .split("\n")
      .filter((line) => / \/1\/1\/\d+$/.test(line))
    console.log(
      `nghttp, ${protocol}: ${drained.asked} asked, ${answers.length} answered; ${stderr.trim().split("\n").at(-1)}`
    )
    assert.strictEqual(answers.filter((line) => / 200 /.test(line)).length, drained.asked, stderr)
    assertClean(drained)
  })

  it.each(["h2c", "h2", "http"] as const)(
    "h2load has whole what it was not told to ask elsewhere: %s",
    async (protocol) => {
      const { server, url } = await start(protocol)
      const one = protocol === "http" ? ["--h1"] : []
      const asking = run("h2load", ...one, "-n", "200000", "-c", "16", "-m", "8", `${url}/1/1/${bytes}`)
      await server.asked(askedBefore * 10)
      const drained = await server.drain()
      const { stderr, stdout } = await asking
      const text = stdout.toString()
      const line = /^requests: .*$/m.exec(text)?.[0]
      console.log(`h2load, ${protocol}: ${drained.asked} asked; ${line}`)
      assert.strictEqual(Number(/ (\d+) succeeded/.exec(text)?.[1]), drained.asked, text + stderr)
      assertClean(drained)
    }
  )
})

/** Debian's, or what goes by its name elsewhere. */
const executable = ["chromium", "chromium-browser", "google-chrome"].map(pathOf).find((path) => path !== undefined)
const browserNote = executable === undefined ? " (skipped here, there is no chromium)" : ""

describe.skipIf(executable === undefined)(`Chromium, while its server drains${browserNote}`, { timeout }, () => {
  let browser: Browser

  beforeAll(async () => {
    // As root there is no sandbox to be had, and all pages that are opened are ours.
    browser = await chromium.launch({ executablePath: executable!, args: ["--no-sandbox"] })
  }, timeout)

  afterAll(() => browser?.close(), timeout)

  const open = async (protocol: Protocol) => {
    const { server, url } = await start(protocol)
    const context = await browser.newContext({ ignoreHTTPSErrors: true, acceptDownloads: true })
    const page = await context.newPage()
    await page.goto(url)
    return { server, url, page }
  }

  const expected = hashOf(bodyOf(7, downloadBytes))

  /** What a page has of a body: its hash. */
  const fetched = (page: Page, path: string): Promise<string> =>
    page.evaluate(async (path) => {
      const body = await (await fetch(path)).arrayBuffer()
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", body))
      return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("")
    }, path)

  it.each(["http", "h2"] as const)("a page fetches 64 MiB, of which every byte arrives: %s", async (protocol) => {
    const { page, server } = await open(protocol)
    const fetching = fetched(page, `/7/0/${downloadBytes}/held`)
    await server.asked(1)
    const drained = await server.drain()
    assert.strictEqual(await fetching, expected)
    assertClean(drained)
  })

  it("a user saves 64 MiB, and every byte is in the file", async () => {
    const { page, server } = await open("http")
    const downloading = page.waitForEvent("download")
    await page.evaluate((path) => {
      location.href = path
    }, `/7/0/${downloadBytes}/held?attachment`)
    const download = await downloading
    const drained = await server.drain()
    const hash = createHash("sha256")
    for await (const chunk of createReadStream(await download.path())) hash.update(chunk as Buffer)
    assert.strictEqual(hash.digest("hex"), expected)
    assertClean(drained)
  })

  it("a page that keeps asking has every request answered, until nobody is there", async () => {
    const { page, server } = await open("http")
    const asking = page.evaluate(async () => {
      let [id, whole] = [0, 0]
      const loop = async () => {
        for (;;) {
          try {
            const response = await fetch(`/${++id}/1/2000`)
            const text = await response.text()
            if (response.status === 200 && text.length > 0) whole++
          } catch {
            return
          }
        }
      }
      await Promise.all([loop(), loop(), loop(), loop(), loop(), loop()])
      return whole
    })
    await server.asked(askedBefore)
    const drained = await server.drain()
    assert.strictEqual(await asking, drained.asked)
    assertClean(drained)
  })
})
