/**
 * The model of the close: the documentation shows it as it is, and it finds what is wrong with a history.
 */
import type { CloseOutcome } from "finwait/CloseOutcome"
import * as CloseModel from "finwait/testing/CloseModel"
import type * as History from "finwait/testing/History"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { current, page } from "./tools/closeModel.ts"

describe("the model of the close", () => {
  it("is what docs/close.md shows (node test/tools/closeModel.ts brings it up to date)", () => {
    const text = readFileSync(page, "utf8")
    assert.strictEqual(text, current(text))
  })

  it("leads from every stage to an end, and to every stage and end from Open", () => {
    const reached = new Set<CloseModel.State>(["Open"])
    for (let size = 0; size !== reached.size;) {
      size = reached.size
      for (const { from, to } of CloseModel.transitions) if (reached.has(from)) reached.add(to)
    }
    const all = ["Open", "Farewell", "Flushing", "Lingering", "Graceful", "LingerExpired", "ResetByPeer", "Aborted"]
    assert.sameMembers([...reached], all)
    for (const stage of ["Open", "Farewell", "Flushing", "Lingering"]) {
      const ends = CloseModel.transitions.filter(({ from }) => from === stage).map(({ to }) => to)
      assert.includeMembers(ends, ["ResetByPeer", "Aborted"], stage)
    }
  })
})

/** A history of one end, in a few words: `write 5`, `stage Flushing`, `outcome`. */
const history = (lines: ReadonlyArray<string>, outcome: Partial<CloseOutcome> = {}): ReadonlyArray<History.Event> =>
  lines.map((line, millis): History.Event => {
    const [kind = "", detail = ""] = line.split(" ")
    const figure = /^\d+$/.test(detail) ? Number(detail) : detail
    const event = { millis, connection: 1, side: "server", kind: kind as History.Kind, detail: figure } as const
    return kind === "outcome" ? { ...event, outcome: { ...graceful, ...outcome } as CloseOutcome } : event
  })

const graceful = {
  _tag: "Graceful",
  stage: "Lingering",
  closedFirst: "local",
  farewell: "none",
  bytesRead: 3,
  bytesWritten: 5,
  bytesDiscarded: 0,
  bytesUnsent: 0,
  closeMillis: 0
} as const

const good = [
  "accepted",
  "data 3",
  "write 5",
  "stage Flushing",
  "closeWrite",
  "flushed",
  "stage Lingering",
  "end",
  "release",
  "outcome"
]

const without = (word: string) => good.filter((line) => line !== word)
const after = (word: string, ...more: ReadonlyArray<string>) =>
  good.flatMap((line) => (line === word ? [line, ...more] : [line]))

describe("a history is held against the model", () => {
  it("a graceful close is as it should be", () => {
    assert.deepStrictEqual(CloseModel.violations(history(good)), [])
  })

  it("so is one that was turned away before anybody had it", () => {
    assert.deepStrictEqual(CloseModel.violations(history(["accepted", "reset"])), [])
  })

  const wrongs: ReadonlyArray<
    readonly [name: string, lines: ReadonlyArray<string>, outcome: Partial<CloseOutcome>, says: string]
  > = [
    ["no end at all", good.slice(0, -1), {}, "no outcome; the close is at Lingering"],
    ["two outcomes", [...good, "outcome"], {}, "something happened after the outcome"],
    ["an act after the end", [...good, "write 1"], {}, "something happened after the outcome"],
    ["a write behind the FIN", after("closeWrite", "write 1"), { bytesWritten: 6 }, "a write behind the FIN"],
    ["a second FIN", after("closeWrite", "closeWrite"), {}, "closeWrite twice"],
    ["a second release", after("release", "release"), {}, "release twice"],
    ["FIN after the release", after("release", "closeWrite"), {}, "closeWrite after the descriptor was given back"],
    ["data behind the peer's FIN", after("end", "data 1"), { bytesRead: 4 }, "data after the peer's FIN"],
    ["news after the release", after("release", "data 1"), { bytesRead: 4 }, "data told after the descriptor"],
    ["flushed without FIN", after("write 5", "flushed"), {}, "flushed without a FIN"],
    ["lingering without a flush", without("flushed"), {}, "Flushing to Lingering without flushed"],
    ["a stage that does not follow", without("stage Flushing"), {}, "no step leads from Open to Lingering"],
    ["graceful without the peer's FIN", without("end"), {}, "Lingering to Graceful without end"],
    ["graceful after a reset", after("end", "broken ECONNRESET"), {}, "Lingering to Graceful after broken"],
    ["an end that gives nothing back", without("release"), {}, "Lingering to Graceful without release"],
    ["an abort without a reset", good, { _tag: "Aborted", cause: "abort" }, "Lingering to Aborted without reset"],
    ["a reset by nobody", good, { _tag: "ResetByPeer", code: "ECONNRESET" }, "Lingering to ResetByPeer without broken"],
    [
      "expired although the FIN came",
      good,
      { _tag: "LingerExpired", limit: "lingerTimeout" },
      "LingerExpired after end"
    ],
    ["another stage than it was", good, { stage: "Flushing" }, "the outcome names another stage than Lingering"],
    ["more read than arrived", good, { bytesRead: 4 }, "3 bytes were read"],
    ["less written than was", good, { bytesWritten: 4 }, "5 bytes were written"],
    ["graceful with bytes unsent", good, { bytesUnsent: 1 }, "something was not sent"],
    ["a farewell that nobody said", good, { farewell: "flushed" }, "a farewell that nobody said"],
    ["closed first by a peer that did not", without("end"), { closedFirst: "peer" }, "the peer did not end"]
  ]

  it.each(wrongs)("%s is found", (_, lines, outcome, says) => {
    const found = CloseModel.violations(history(lines, outcome))
    assert.isTrue(
      found.some((line) => line.includes(says)),
      found.join("\n")
    )
  })
})
