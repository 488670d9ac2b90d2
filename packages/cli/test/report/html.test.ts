import { assert, describe, it } from "vitest"
import { lanesOf } from "../../src/report/html/lanes.ts"
import * as Scale from "../../src/report/html/Scale.ts"
import { html } from "../../src/report/html.ts"
import { connection, event, finding, mixed, play, report, row } from "./sample.ts"

const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length

describe("a report as a page", () => {
  it("loads nothing and runs nothing", () => {
    const page = html(mixed({ address: "https://example.test:8443" }))
    assert.notMatch(page, /<(script|iframe|img|object|embed|base|form)\b/i)
    assert.notMatch(page, /\b(?:src|href|srcset|action|data)\s*=\s*["']?\s*(?:https?:|\/\/)/i)
    assert.notMatch(page, /@import|url\(/i)
    assert.notMatch(page, /\son\w+\s*=/i)
    assert.include(page, "default-src 'none'")
  })

  it("shows what was said as text, and never takes it for markup", () => {
    const script = `<script>alert("1")</script>`
    const breakout = `"'><img src=x onerror=alert(1)>]]>--></style></title>\u0000\u001b[31m`
    const hostile = script + breakout
    const given = row({
      id: hostile,
      title: hostile,
      meaning: hostile,
      good: hostile,
      fix: hostile,
      measure: hostile,
      bound: hostile,
      verdict: "fail",
      plays: [
        play({
          verdict: "fail",
          findings: [finding(hostile, hostile)],
          notes: [hostile],
          facts: { [hostile]: 1 },
          kernel: { [hostile]: 1 },
          exitSignal: hostile,
          stderr: hostile,
          connections: [
            connection({
              group: hostile,
              instead: [hostile],
              seen: [hostile],
              trouble: hostile,
              whole: false,
              events: [event(-1, hostile, 3), event(1, hostile)]
            })
          ]
        })
      ]
    })
    const page = html(
      report({
        tool: hostile,
        name: hostile,
        command: ["node", hostile],
        profile: hostile,
        address: hostile,
        signal: hostile,
        startedAt: hostile,
        machine: { platform: hostile, cpus: 1, node: hostile },
        bounds: { [hostile]: 1 },
        requests: { [hostile]: hostile },
        rows: [given]
      })
    )
    assert.notMatch(page, /<script|<img/i)
    assert.strictEqual(count(page, /<\/(?:style|head|body|html)>/g), 4)
    assert.include(page, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;")
    assert.notMatch(page, new RegExp(String.raw`[^\P{Cc}\t\n]`, "u"))
  })

  it("says of every row what it means, what is good and how to fix it", () => {
    const page = html(mixed())
    assert.strictEqual(count(page, /<details class="row/g), mixed().rows.length)
    assert.strictEqual(count(page, /<dt>How to fix it<\/dt>/g), mixed().rows.length)
    assert.include(page, "24 of 24 in flight: answer not whole (643 kB of 4.6 MB) (1 of 3 plays)")
    assert.include(page, "lost 12.0 of 64.0 MB")
    assert.include(page, "503 instead of an answer")
    assert.include(page, "992 × idle")
    assert.include(page, "FIN after 0.02 to 0.08 s")
    assert.include(page, "exit 143")
    assert.include(page, "killed, 8.00 s")
  })

  it("draws no more than a person looks at, and says what it has left out", () => {
    const [first] = mixed().rows
    const page = html(mixed({ rows: first === undefined ? [] : [first] }))
    assert.strictEqual(count(page, /<svg role="img">/g), 4 + 1 + 1)
    assert.include(page, "20 more are not drawn: 20 × in flight: RST after 0.03 to 0.05 s.")
  })

  it("is there for nothing at all", () => {
    assert.include(html(report({ rows: [], command: [] })), "nothing was checked")
  })
})

describe("the connections of a play", () => {
  it("are together when they fared alike, drawn by the last that was told, the worst first", () => {
    const idle = (toldMillis: number) => connection({ group: "idle", toldMillis })
    const cut = connection({ group: "cut", whole: false, receivedBytes: 200, ending: "RST", seen: ["RST"] })
    const more = connection({ ...cut, receivedBytes: 100 })
    const { drawn, rest } = lanesOf(play({ connections: [idle(3), cut, idle(9), more, idle(5)] }))
    assert.deepStrictEqual(
      drawn.map(({ outcome, who }) => [who, outcome]),
      [
        ["cut", "lost 1.1 of 1.2 kB"],
        ["cut", "lost 1.0 of 1.2 kB"],
        ["3 × idle", "whole, 1.2 kB"]
      ]
    )
    assert.strictEqual(drawn[2]?.drawn.toldMillis, 9)
    assert.deepStrictEqual(rest, [])
  })
})

describe("the scale of a timeline", () => {
  const spanning = (from: number, to: number) =>
    Scale.make(
      play({
        exitSeconds: to / 1000,
        connections: [connection({ toldMillis: to, events: [event(from, "connected"), event(to, "FIN")] })]
      })
    )

  it("is the same before and after the signal where both have room", () => {
    const { isBent, percent } = spanning(-250, 1000)
    assert.isFalse(isBent)
    assert.approximately(percent(0) - percent(-100), percent(100) - percent(0), 1e-9)
  })

  it("gives what came long before it a scale of its own", () => {
    const { isBent, percent } = spanning(-60_000, 1000)
    assert.isTrue(isBent)
    assert.isAbove(percent(1000) - percent(0), 50)
    assert.isAbove(percent(0) - percent(-60_000), 20)
  })

  it("keeps everything within the picture", () => {
    for (const [from, to] of [
      [-1e7, 1e-3],
      [0, 0],
      [-1, 1e7],
      [-0.01, 20]
    ] as const) {
      const { percent, ticks } = spanning(from, to)
      for (const millis of [from, 0, to, ...ticks.map(({ at }) => at)]) {
        assert.isAtLeast(percent(millis), 0)
        assert.isAtMost(percent(millis), 90)
      }
      assert.isAtMost(ticks.length, 7)
    }
  })
})
