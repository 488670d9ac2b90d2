import { spawnSync } from "node:child_process"
import { assert, describe, it } from "vitest"
import { junit, type JUnitOptions } from "../../src/report/junit.ts"
import type { FailOn, Report } from "../../src/report/Report.ts"
import { finding, mixed, play, report, row } from "./sample.ts"

/** As a parser of somebody else sees it: names, attributes, text, children. */
interface Element {
  readonly tag: string
  readonly attributes: Readonly<Record<string, string>>
  readonly text: string
  readonly children: ReadonlyArray<Element>
}

const parser = `
import json, sys
from xml.etree import ElementTree
def told(element):
    return {"tag": element.tag, "attributes": element.attrib, "text": element.text or "", "children": [told(child) for child in element]}
json.dump(told(ElementTree.fromstring(sys.stdin.buffer.read())), sys.stdout)
`

const isThere = spawnSync("python3", ["-c", "from xml.etree import ElementTree"]).status === 0
const note = isThere ? "" : " (skipped here, there is no python3)"

const parse = (given: Report, options?: JUnitOptions): Element => {
  const { status, stderr, stdout } = spawnSync("python3", ["-c", parser], {
    input: junit(given, options),
    encoding: "utf8"
  })
  assert.strictEqual(status, 0, stderr)
  return JSON.parse(stdout) as Element
}

const casesOf = (suites: Element): ReadonlyArray<Element> =>
  suites.children[0]?.children.filter(({ tag }) => tag === "testcase") ?? []

describe.skipIf(!isThere)(`a report as JUnit${note}`, () => {
  it("is a suite with a case for each row", () => {
    const suites = parse(mixed(), { failOn: "fail" })
    const suite = suites.children[0]
    assert.strictEqual(suites.tag, "testsuites")
    assert.strictEqual(suites.children.length, 1)
    assert.deepInclude(suite?.attributes, {
      tests: "9",
      failures: "2",
      errors: "0",
      skipped: "2",
      time: "31.200",
      timestamp: "2026-11-25T22:10:39"
    })
    const cases = casesOf(suites)
    assert.deepStrictEqual(
      cases.map(({ attributes, children }) => [attributes["name"], children.map(({ tag }) => tag).join()]),
      [
        ["S1 in-flight work", "failure"],
        ["S2a idle after one request", ""],
        ["S2d idle WebSocket that has been used", "system-out"],
        ["S3 stalled peer, 64 MB queued", "failure"],
        ["S3b slow reader, 64 MB at 20 MB/s", ""],
        ["S4 answer during an upload", ""],
        ["S7 requests in the accept backlog", ""],
        ["S6 second signal while stopping", "skipped"],
        ["S10 idle HTTP/2 session", "skipped"]
      ]
    )
    assert.strictEqual(cases[0]?.attributes["classname"], "finwait.check.orders, before the fix")
    assert.strictEqual(cases[3]?.attributes["time"], "8.420")
  })

  it("has the findings and the server's last words in a failure", () => {
    const [failure] = casesOf(parse(mixed()))[0]?.children ?? []
    assert.strictEqual(failure?.attributes["type"], "fail")
    assert.include(failure?.attributes["message"] ?? "", "24 of 24 in flight: answer not whole")
    assert.include(failure?.text ?? "", "how to fix it: Stop accepting")
    assert.include(failure?.text ?? "", "process of play 1 of 3: exit 143 after 0.06 s")
    assert.include(failure?.text ?? "", "\nError: aborted\n    at connResetException")
  })

  it("says why something was skipped", () => {
    const [skipped] = casesOf(parse(mixed()))[8]?.children ?? []
    assert.deepStrictEqual(skipped?.attributes, { message: "The server speaks no HTTP/2." })
  })

  it("counts as failures what the exit code does", () => {
    const failures = (failOn?: FailOn) => parse(mixed(), failOn === undefined ? {} : { failOn }).attributes["failures"]
    assert.deepStrictEqual([failures("fail"), failures("warn"), failures("not-run"), failures()], ["2", "3", "4", "4"])
    const suites = parse(mixed(), { failOn: "warn" })
    assert.deepInclude(casesOf(suites)[2]?.children[0], { tag: "failure" })
    assert.strictEqual(casesOf(suites)[2]?.children[0]?.attributes["type"], "warn")
  })

  it("is XML, whatever was said", () => {
    const controls = Array.from({ length: 32 }, (_, code) => String.fromCodePoint(code)).join("")
    const hostile = `]]> <b a='1' b="2">&amp; &#0; \uD800 \uFFFE \uFFFF 😀${controls}`
    const failed = row({
      id: hostile,
      title: hostile,
      good: hostile,
      fix: hostile,
      verdict: "fail",
      plays: [
        play({ verdict: "fail", findings: [finding(hostile, hostile)], notes: [hostile], stderr: hostile.repeat(50) })
      ]
    })
    const skipped = row({ verdict: "not run", plays: [play({ verdict: "not run", notes: [hostile] })] })
    const suites = parse(report({ name: hostile, command: [hostile], address: hostile, rows: [failed, skipped] }))
    const [first, second] = casesOf(suites)
    const kept = `]]> <b a='1' b="2">&amp; &#0;    😀\t\n\r`
    assert.strictEqual(second?.children[0]?.attributes["message"], kept.replaceAll("\r", "\r"))
    assert.include(first?.children[0]?.text ?? "", kept)
  })

  it("of nothing is a suite without cases", () => {
    assert.deepStrictEqual(casesOf(parse(report({ rows: [], startedAt: "some day" }))), [])
  })
})
