/**
 * A Unix socket of `NodeSocketServer`, and a client whom everybody has: curl. Without it this is skipped, and says so.
 */
import { execFile, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Program } from "../tools/Program.ts"

const hasCurl = spawnSync("curl", ["--version"]).status === 0
const note = hasCurl ? "" : " (skipped here, there is no curl)"

const bytes = 4 * 1024 * 1024

const hashOf = (text: string | Buffer): string => createHash("sha256").update(text).digest("hex")

/** What a target is answered with, as a hash. */
const expected = (target: string): string =>
  hashOf(`${target}\n`.repeat(Math.ceil(bytes / (target.length + 1))).slice(0, bytes))

describe.skipIf(!hasCurl)(`curl on a Unix socket${note}`, () => {
  let folder: string
  let program: Program

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "finwait-curl-"))
    program = new Program(new URL("curlServer.ts", import.meta.url), { env: { FILE: join(folder, "a.sock") } })
  })

  afterEach(() => {
    program.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  /** How curl ended, and what it had, as a hash. */
  const curl = (target: string, ...more: ReadonlyArray<string>): Promise<{ code: number; body: string }> =>
    new Promise((resolve) => {
      const words = ["--silent", "--show-error", "--max-time", "12", "--unix-socket", join(folder, "a.sock")]
      const options = { encoding: "buffer", maxBuffer: 2 * bytes } as const
      execFile("curl", [...words, ...more, `http://localhost${target}`], options, (error, stdout) =>
        resolve({ code: error === null ? 0 : Number(error.code), body: hashOf(stdout) })
      )
    })

  it("has its answers whole, one after the other and side by side", async () => {
    await program.listening()
    for (const target of ["/one", "/two"]) {
      assert.deepStrictEqual(await curl(target), { code: 0, body: expected(target) })
    }
    const targets = Array.from({ length: 8 }, (_, i) => `/${i}`)
    const answers = await Promise.all(targets.map((target) => curl(target)))
    assert.deepStrictEqual(
      answers,
      targets.map((target) => ({ code: 0, body: expected(target) }))
    )
  })

  it("has the answer whole that is in flight when the server is told to stop, and finds nobody afterwards", async () => {
    await program.listening()
    const targets = Array.from({ length: 4 }, (_, i) => `/drain/${i}`)
    // One of them reads slower than it is sent to.
    const answers = targets.map((target, i) => curl(target, ...(i === 0 ? ["--limit-rate", "4M"] : [])))
    await program.hasSaid(1 + targets.length)
    program.signal("SIGTERM")
    assert.deepStrictEqual(
      await Promise.all(answers),
      targets.map((target) => ({ code: 0, body: expected(target) }))
    )
    assert.deepStrictEqual(await program.ended(), { code: 0, signal: null }, program.stderr)
    assert.match(program.stderr, /clean after .*, 4 connections, 4 Graceful/)
    assert.isFalse(existsSync(join(folder, "a.sock")))
    // Curl's own: it could not connect.
    assert.strictEqual((await curl("/late")).code, 7)
  })
})
