import { assert, describe, it } from "vitest"
import { changes, compare } from "../../src/report/compare.ts"
import type { Row } from "../../src/report/Report.ts"
import { widthOf } from "../../src/report/text.ts"
import { finding, mixed, play, report, row } from "./sample.ts"

const took = (least: number, median: number, most: number): Partial<Row> => ({ measured: { least, median, most } })

const change = (a: Partial<Row> | undefined, b: Partial<Row> | undefined) => {
  const rows = (given: Partial<Row> | undefined) => (given === undefined ? [] : [row(given)])
  const [only] = changes(report({ rows: rows(a) }), report({ rows: rows(b) }))
  return only?.change
}

describe("two reports side by side", () => {
  it("tell what has become better, and what worse, by the verdicts", () => {
    assert.strictEqual(change({ verdict: "fail" }, { verdict: "pass" }), "better")
    assert.strictEqual(change({ verdict: "fail" }, { verdict: "warn" }), "better")
    assert.strictEqual(change({ verdict: "pass" }, { verdict: "warn" }), "worse")
    assert.strictEqual(change({ verdict: "warn" }, { verdict: "fail" }), "worse")
    assert.strictEqual(change({}, {}), "same")
  })

  it("tell it by what was measured where verdicts are the same, beyond noise", () => {
    assert.strictEqual(change(took(1, 1.05, 1.1), took(0.4, 0.5, 0.6)), "better")
    assert.strictEqual(change(took(1, 1.05, 1.1), took(1.3, 1.4, 1.5)), "worse")
    assert.strictEqual(change(took(1, 1.05, 1.1), took(1.2, 1.25, 1.3)), "same")
    assert.strictEqual(change(took(1, 1.05, 1.4), took(1.2, 1.3, 1.4)), "same")
    assert.strictEqual(change(took(0.01, 0.01, 0.01), took(0.04, 0.04, 0.04)), "same")
    assert.strictEqual(change({ unit: "", ...took(0, 0, 0) }, { unit: "", ...took(1, 1, 1) }), "worse")
    const lost = (count: number) => ({ unit: "" as const, ...took(count, count, count) })
    assert.strictEqual(change(lost(40), lost(37)), "same")
    assert.strictEqual(change(lost(40), lost(20)), "better")
    assert.strictEqual(change({ measured: null }, took(1, 1, 1)), "same")
  })

  it("count what was not run as not there", () => {
    assert.strictEqual(change({}, undefined), "only in A")
    assert.strictEqual(change(undefined, {}), "only in B")
    assert.strictEqual(change({}, { verdict: "not run" }), "only in A")
    assert.strictEqual(change({ verdict: "n/a" }, { verdict: "fail" }), "only in B")
    assert.strictEqual(change({ verdict: "n/a" }, { verdict: "not run" }), "same")
    assert.strictEqual(change({ verdict: "n/a" }, undefined), "only in A")
  })

  it("are a table and a summary", () => {
    const lines = compare(mixed(), report({ name: "orders, after it", rows: [row(), row({ id: "S99" })] })).split("\n")
    const text = lines.join("\n")
    assert.strictEqual(
      lines[0],
      "A: orders, before the fix, 2026-11-25 22:10:39 UTC, profile http1, linux, 2 CPUs, Node 26.10.0"
    )
    assert.match(text, /^S1 +in-flight work +✗ FAIL, 0\.03 s.+✓ pass, 1\.03 s +better$/m)
    assert.strictEqual(lines.at(-1), "1 better, 8 only in A, 1 only in B")
    assert.notInclude(text, "differ")
  })

  it("say what makes comparing doubtful", () => {
    const here = report()
    const there = report({
      machine: { platform: "darwin", cpus: 1, node: "v22.19.0" },
      profile: "http2",
      signal: "SIGINT",
      bounds: { exitSeconds: 10, lateSeconds: 1 }
    })
    const text = compare(here, there).replaceAll(/\n +/g, " ")
    assert.include(text, "The machines differ: times say little.")
    assert.include(text, "The profiles differ: http1 and http2.")
    assert.include(text, "The signals differ: SIGTERM and SIGINT.")
    assert.include(text, "exitSeconds 5 and 10, jobSeconds 2 and not set, lateSeconds not set and 1.")
  })

  it("stay within 100 columns, whatever is in them", () => {
    const word = "y".repeat(500)
    const hostile = row({
      title: word,
      verdict: "fail",
      plays: [play({ verdict: "fail", findings: [finding(word, word)] })]
    })
    const text = compare(report({ name: word, profile: word, rows: [hostile] }), mixed())
    for (const line of text.split("\n")) assert.isAtMost(widthOf(line), 100, line)
  })
})
