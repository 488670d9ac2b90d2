import { PassThrough } from "node:stream"
import { stripVTControlCharacters } from "node:util"
import { WriteStream } from "node:tty"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { markdown, table } from "../../src/report/table.ts"
import { widthOf } from "../../src/report/text.ts"
import { connection, finding, mixed, play, report, row } from "./sample.ts"

const escape = String.fromCodePoint(27)

/** A terminal that shows colours, wherever the tests run: Node asks the environment, in which a CI has none. */
const terminal = (environment: NodeJS.ProcessEnv = {}): PassThrough =>
  Object.assign(new PassThrough(), {
    isTTY: true,
    getColorDepth: () => WriteStream.prototype.getColorDepth({ TERM: "xterm-256color", ...environment })
  })

const plain = (given: Parameters<typeof table>[0]) => table(given, new PassThrough())

const assertFits = (text: string) => {
  for (const line of text.split("\n")) assert.isAtMost(widthOf(line), 100, line)
}

describe("the table of a report", () => {
  beforeEach(() => {
    // Vitest sets it for the terminal it writes to; Node heeds it before it looks at the stream.
    vi.stubEnv("FORCE_COLOR", undefined)
  })

  afterEach(() => vi.unstubAllEnvs())

  it("has a line for each scenario, what there is to say, and a summary", () => {
    const lines = plain(mixed()).split("\n")
    assert.match(lines[2] ?? "", /^S1 +in-flight work +0\.03 s \(0\.02 to 0\.06\) +1\.3 s +✗ FAIL: lost 24$/)
    assert.match(lines[3] ?? "", /^S2a +idle after one request +0\.09 s +0\.2 s +✓ pass$/)
    assert.match(lines[8] ?? "", /^S7 .+ 0 answers lost +all answered +✓ pass$/)
    assert.include(lines, "S1: 24 of 24 in flight: answer not whole (643 kB of 4.6 MB) (1 of 3 plays)")
    assert.include(lines, "S10: The server speaks no HTTP/2.")
    assert.strictEqual(lines.at(-1), "4 passed, 1 warning, 2 failed, 1 not run, 1 does not apply; 31 s")
    assertFits(lines.join("\n"))
  })

  it("says once what is true of several rows", () => {
    const failed = (id: string) =>
      row({ id, verdict: "fail", plays: [play({ verdict: "fail", findings: [finding("It hung.", "hangs")] })] })
    const lines = plain(report({ rows: [failed("S1"), row({ id: "S2" }), failed("S3")] })).split("\n")
    assert.deepStrictEqual(
      lines.filter((line) => line.includes("hung")),
      ["S1, S3: It hung."]
    )
  })

  it("stays within 100 columns, whatever is in it", () => {
    const word = "x".repeat(700)
    const hostile = row({
      id: word.slice(0, 120),
      title: `${word} 日本語のタイトル${"長".repeat(200)}`,
      bound: word,
      measure: word,
      unit: "",
      verdict: "fail",
      plays: [
        play({
          verdict: "fail",
          findings: [finding(word, word), finding(`${escape}[2J\r\n${"👩‍🚀".repeat(90)}`, "x")],
          notes: [word, ""],
          connections: Array.from({ length: 1000 }, () => connection({ group: word }))
        }),
        play({ verdict: "pass" })
      ]
    })
    const text = plain(report({ name: word, rows: [row(), hostile, ...Array.from({ length: 60 }, () => hostile)] }))
    assertFits(text)
    assert.notInclude(text, escape)
    assert.notInclude(text, "\r")
  })

  it("of nothing says so", () => {
    assert.include(plain(report({ rows: [], seconds: 0.2 })), "nothing was checked; 0.2 s")
  })

  it("has colours for a terminal alone, and for verdicts alone", () => {
    const coloured = table(mixed(), terminal())
    assert.include(coloured, escape)
    assert.strictEqual(stripVTControlCharacters(coloured), plain(mixed()))
    for (const [, text = ""] of coloured.matchAll(new RegExp(String.raw`${escape}\[\d+m([^${escape}]+)`, "g"))) {
      // A verdict, or what comes after one: it ends its line.
      assert.match(text, /^(?:\n|[✓!✗?–] )/)
    }
  })

  it("has none where NO_COLOR is set", () => {
    assert.notInclude(table(mixed(), terminal({ NO_COLOR: "1" })), escape)
  })
})

describe("reports as Markdown", () => {
  it("have a row for each scenario and a column for each of them", () => {
    const before = mixed({ name: "before" })
    const after = report({ name: "a|fter", rows: [row(), row({ id: "S99", title: "only *here*" })] })
    assert.deepStrictEqual(markdown([before, after]).split("\n"), [
      String.raw`|  | scenario | before | a\|fter |`,
      "| --- | --- | --- | --- |",
      "| S1 | in-flight work | FAIL: lost 24 | 1.03 s |",
      "| S2a | idle after one request | 0.09 s |  |",
      "| S2d | idle WebSocket that has been used | warn: late word |  |",
      "| S3 | stalled peer, 64 MB queued | FAIL: hangs, 1 untold |  |",
      "| S3b | slow reader, 64 MB at 20 MB/s | 3.26 s |  |",
      "| S4 | answer during an upload | 0 answers lost |  |",
      "| S7 | requests in the accept backlog | 0 answers lost |  |",
      "| S6 | second signal while stopping | not run |  |",
      "| S10 | idle HTTP/2 session | n/a |  |",
      String.raw`| S99 | only \*here\* |  | 1.03 s |`
    ])
  })
})
