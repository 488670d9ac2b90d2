/** The command as its users have it: a process, its exit code, what it says, and what it leaves behind. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { until } from "../src/Waiting.ts"
import { main, processes, run, start } from "./support/command.ts"

const servers = new URL("servers/", import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), "finwait-check-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const script = `${servers}lines.json`
const misbehaving = (how: string, ...options: ReadonlyArray<string>) =>
  run(
    "check",
    "--profile",
    "line",
    "--script",
    pingOnly,
    "--only",
    "S2a,S5",
    "--grace",
    "2s",
    ...options,
    "--",
    process.execPath,
    `${servers}misbehaving.ts`,
    how
  )

const pingOnly = join(folder, "ping.json")
writeFileSync(pingOnly, JSON.stringify({ quick: { send: "PING\n", expect: { text: "PONG\n" } } }))

/** Of this test's servers. */
const leftBehind = (): ReadonlyArray<string> => processes((words) => words.join(" ").includes(servers))

const linux = process.platform === "linux"
/** Visibly skipped where it may not. */
const canCapture = linux && spawnSync("tcpdump", ["--version"]).status === 0 && process.getuid?.() === 0
const minutes = { timeout: 120_000 }

describe("a server that misbehaves", () => {
  it("never listens: exit code 2, and what it said", minutes, async () => {
    const { code, stderr } = await misbehaving("never-listens", "--start", "1s")
    assert.strictEqual(code, 2)
    assert.match(stderr, /does not listen on 127\.0\.0\.1:\d+ within 1 s/)
    assert.match(stderr, /cannot open the database/)
  })

  it("listens late: is waited for", minutes, async () => {
    const { code, stdout } = await misbehaving("listens-late")
    assert.match(stdout, /S2a .* pass/)
    assert.strictEqual(code, 0)
  })

  it("crashes at the start: exit code 2, and what it said", minutes, async () => {
    const { code, stderr } = await misbehaving("crashes-at-start")
    assert.strictEqual(code, 2)
    assert.match(stderr, /ended with exit code 3 before it listened/)
    assert.match(stderr, /no configuration/)
  })

  it("crashes at the signal: a failure that says so", minutes, async () => {
    const { code, stdout } = await misbehaving("crashes-at-the-signal")
    assert.strictEqual(code, 1)
    assert.match(stdout, /crashed: SIGABRT/)
  })

  it("ignores the signal: found out once, and not waited for again", minutes, async () => {
    const { code, stdout } = await misbehaving("ignores-the-signal")
    assert.strictEqual(code, 1)
    assert.match(stdout, /still running 2\.0 s after the signal, and killed/)
    assert.match(stdout, /does not react to SIGTERM at all/)
  })

  it("forks and exits: exit code 2, and nothing of it is left", { ...minutes, skip: !linux }, async () => {
    const { code, stderr } = await misbehaving("forks-and-exits")
    assert.strictEqual(code, 2)
    assert.match(stderr, /started another process and ended .*foreground/)
    assert.isTrue(await until(3000, () => leftBehind().length === 0), leftBehind().join())
  })

  it("is behind a shell that is told in its place", { ...minutes, skip: !linux }, async () => {
    const line = `${process.execPath} ${servers}misbehaving.ts has-a-shell-in-front; true`
    const { code, stdout } = await run(
      "check",
      "--profile",
      "line",
      "--script",
      pingOnly,
      "--only",
      "S2a,S5,S9",
      "--grace",
      "2s",
      "--",
      "sh",
      "-c",
      line
    )
    assert.strictEqual(code, 1)
    // Once, before anything else, and for all of them.
    const [headline] = stdout.replaceAll(/\s+/g, " ").match(/S2a, S5, S9: [^:]*: a shell or npm/) ?? []
    assert.match(headline ?? stdout, /told to stop ended and left others running/)
    assert.isTrue(await until(3000, () => leftBehind().length === 0), leftBehind().join())
  })

  it("writes a lot: is read, and judged as any other", minutes, async () => {
    const { code, stdout } = await misbehaving("writes-a-lot")
    assert.match(stdout, /S2a .* pass/)
    assert.strictEqual(code, 0)
  })

  it("closes at once: exit code 2, and what it did in place of an answer", minutes, async () => {
    const { code, stderr } = await misbehaving("closes-at-once")
    assert.strictEqual(code, 2)
    assert.match(stderr, /the quick request, "PING\\n", was not answered: (?:FIN|RST)/)
  })

  it("is no program: exit code 2", minutes, async () => {
    const { code, stderr } = await run("check", "--", "/no/such/program")
    assert.strictEqual(code, 2)
    assert.match(stderr, /there is no such command/)
  })

  it("finds its port in use: exit code 2, and it is not started", minutes, async () => {
    const other = createServer().listen(0, "127.0.0.1")
    await new Promise((listening) => other.once("listening", listening))
    const { port } = other.address() as { readonly port: number }
    const { code, stderr } = await misbehaving("listens-late", "--port", String(port))
    other.close()
    assert.strictEqual(code, 2)
    assert.match(stderr, new RegExp(`something else listens on 127\\.0\\.0\\.1:${port} already`))
  })
})

describe("the command", () => {
  const good = [
    "--profile",
    "line",
    "--script",
    script,
    "--only",
    "S1,S2a,S9",
    "--",
    process.execPath,
    `${servers}lines.ts`
  ]

  it("exits with 0 when everything passed, and writes reports", minutes, async () => {
    const [json, junit, html] = ["a.json", "a.xml", "a.html"].map((name) => join(folder, name)) as [
      string,
      string,
      string
    ]
    const { code, stderr, stdout } = await run(
      "check",
      "--json",
      json,
      "--junit",
      junit,
      "--html",
      html,
      "--repeat",
      "2",
      ...good
    )
    assert.strictEqual(code, 0, stdout + stderr)
    for (const line of stdout.split("\n")) assert.isAtMost(line.length, 100, line)
    assert.match(stdout, /3 passed/)
    const report = JSON.parse(readFileSync(json, "utf8"))
    assert.deepStrictEqual(
      report.rows.map(({ id, plays, verdict }: { id: string; plays: ReadonlyArray<unknown>; verdict: string }) => [
        id,
        verdict,
        plays.length
      ]),
      [
        ["S1", "pass", 2],
        ["S2a", "pass", 2],
        ["S9", "pass", 2]
      ]
    )
    assert.match(readFileSync(junit, "utf8"), /<testsuite /)
    assert.match(readFileSync(html, "utf8"), /<svg/)
    const compared = await run("check", "--compare", json, json)
    assert.strictEqual(compared.code, 0, compared.stderr)
    assert.match(compared.stdout, /same/)
  })

  it("fails by warnings, unless it is told otherwise", minutes, async () => {
    const file = join(folder, "warned.xml")
    // Nothing is over in no time at all.
    const warned = ["check", "--prompt", "0ms", "--late", "5s", "--junit", file, ...good]
    const all = await run(...warned)
    assert.strictEqual(all.code, 1, all.stdout)
    assert.match(all.stdout, /S2a .* warn$/m)
    assert.match(all.stdout, /\n.* and how to mend them: finwait explain (?:S1 )?S2a\n$/)
    assert.match(readFileSync(file, "utf8"), /failures="[12]"/)
    const [word, ...others] = warned
    const some = await run(word!, "--fail-on", "fail", ...others)
    assert.strictEqual(some.code, 0, some.stdout)
    assert.match(readFileSync(file, "utf8"), /failures="0"/)
  })

  it("writes the other reports when one cannot be written", { ...minutes, skip: !linux }, async () => {
    const file = join(folder, "other.html")
    const { code, stderr } = await run("check", "--json", "/dev/full", "--html", file, ...good)
    assert.strictEqual(code, 2)
    assert.match(stderr, /--json \/dev\/full: .*ENOSPC/)
    assert.match(readFileSync(file, "utf8"), /<svg/)
  })

  it("counts FIN and RST on the wire where it may", { ...minutes, skip: !canCapture }, async () => {
    const { stdout } = await run("check", "--capture", "--json", "-", ...good)
    const [, idle] = JSON.parse(stdout).rows
    const { kernel } = idle.plays[0]
    assert.strictEqual(kernel["FIN sent by the server"], 1)
    assert.strictEqual(kernel["FIN sent by clients"], 1)
    assert.strictEqual(kernel["RST sent by the server"], 0)
  })

  it("writes the report to its standard output alone", minutes, async () => {
    const { stdout } = await run("check", "--json", "-", ...good)
    assert.strictEqual(JSON.parse(stdout).tool, "finwait check")
  })

  it.each([
    ["no command", [], /no command/],
    ["a command without --", ["node", "server.js"], /behind --/],
    ["another machine", ["--host", "example.org", "--", "node"], /--allow-remote/],
    ["an unknown scenario", ["--only", "S99", "--", "node"], /S99: there are S1,/],
    ["an unknown profile", ["--profile", "ftp", "--", "node"], /ftp/],
    ["an unknown signal", ["--signal", "SIGNOPE", "--", "node"], /no such signal/],
    ["a signal that nobody hears", ["--signal", "kill", "--", "node"], /no process can do anything/],
    ["nothing to be played", ["--only", "s1", "--skip", "S1", "--", "node"], /leave no scenario/],
    ["a command that is none", ["--", "nonsuch"], /nonsuch: there is no such command/],
    ["what is no time", ["--grace", "soon", "--", "node"], /a time is wanted/],
    ["bounds that do not fit", ["--grace", "5s", "--deadline", "10s", "--", "node"], /longer than --grace/],
    ["a path that is none", ["--http", "slow", "--", "node"], /begins with/],
    ["raw without a script", ["--profile", "raw", "--", "node"], /needs a --script/],
    ["a script that is none", ["--script", main, "--", "node"], /--script/],
    ["an unknown option", ["--nope", "--", "node"], /nope/]
  ])("says what is wrong with its arguments: %s", minutes, async (_, words, told) => {
    const { code, stderr, stdout } = await run("check", ...words)
    assert.strictEqual(code, 2, stdout)
    assert.match(stderr + stdout, told)
  })

  it("says where a script is wrong", minutes, async () => {
    const file = join(folder, "wrong.json")
    const wrong = async (text: string) => {
      writeFileSync(file, text)
      const { code, stderr } = await run("check", "--script", file, "--", "node")
      assert.strictEqual(code, 2)
      return stderr
    }
    const said = await wrong(`{ "quick": { "send": "a", "expect": { "lines": "one" } }, "slw": {} }`)
    assert.include(said, `quick.expect.lines: a whole number is wanted, not "one"`)
    assert.include(said, "slw is not known, there are quick, slow, large, upload, finalizer, drop")
    const alternatives = await wrong(`{ "quick": { "send": ["a", { "base64": 3 }] }, "slow": {} }`)
    assert.match(alternatives, /quick\.send\.1: text, .* is wanted, not {"base64":3}; slow\.send is missing\n$/)
    assert.match(await wrong(`{\n  "quick": 1,\n}`), /no JSON: .*line 3/)
  })

  it("says what scenarios mean, and how to mend them", minutes, async () => {
    const { code, stdout } = await run("explain", "s3")
    assert.strictEqual(code, 0)
    assert.match(stdout, /^S3: .*Good: .*How: .*socket\.resetAndDestroy/s)
    assert.notInclude(stdout, "S3b")
    const unknown = await run("explain", "S99")
    assert.strictEqual(unknown.code, 2)
    assert.match(unknown.stderr, /S99: there are S1,/)
  })

  it.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
    "ends all that it has started when it gets a %s",
    { ...minutes, skip: !linux },
    async (signal) => {
      const marker = `ended-by-${signal}`
      const { child, ended, said } = start(
        "check",
        "--profile",
        "line",
        "--script",
        pingOnly,
        "--only",
        "S2a",
        "--grace",
        "30s",
        "--",
        process.execPath,
        `${servers}misbehaving.ts`,
        "ignores-the-signal",
        marker
      )
      const running = () => processes((words, pid) => pid !== String(child.pid) && words.at(-1) === marker)
      // The survey is over, and the scenario's own server is told and stays.
      assert.isTrue(await until(20_000, () => said().includes("quick:") && running().length === 1), said())
      child.kill(signal)
      await ended
      if (signal !== "SIGKILL") {
        assert.match(said(), new RegExp(`stopped by ${signal}; nothing is judged\n$`))
      }
      assert.isTrue(await until(5000, () => running().length === 0), running().join())
    }
  )

  it(
    "takes a Unix socket, and leaves it to the server",
    { ...minutes, skip: process.platform === "win32" },
    async () => {
      const path = join(folder, "echo.sock")
      const program = `require("node:net").createServer((s) => s.pipe(s)).listen(process.argv[1]);process.on("SIGTERM",()=>process.exit(0))`
      const { stdout } = await run(
        "check",
        "--profile",
        "line",
        "--unix",
        path,
        "--only",
        "S9",
        "--",
        process.execPath,
        "-e",
        program,
        path
      )
      assert.match(stdout, /S9/)
      assert.isTrue(existsSync(folder))
    }
  )

  it("removes the Unix socket of its server when it is killed itself", { ...minutes, skip: !linux }, async () => {
    const path = join(folder, "left.sock")
    const program = `require("node:net").createServer((s) => s.pipe(s)).listen(process.argv[1]);process.on("SIGTERM",()=>{})`
    const words = ["--profile", "line", "--unix", path, "--only", "S2a", "--", process.execPath, "-e", program, path]
    const { child, ended, said } = start("check", ...words)
    assert.isTrue(await until(20_000, () => said().includes("quick:") && existsSync(path)), said())
    child.kill("SIGKILL")
    await ended
    assert.isTrue(await until(5000, () => !existsSync(path)))
  })
})
