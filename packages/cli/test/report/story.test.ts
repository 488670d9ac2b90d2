import { assert, describe, it } from "vitest"
import { bytesOf, endingOf, exitStoryOf, outcomeOf, storyOf } from "../../src/report/story.ts"
import { connection, event, play } from "./sample.ts"

const megabyte = 1024 * 1024

describe("what a client lived through", () => {
  it("is told in order, and what came in pieces as one", () => {
    const events = [
      event(-500, "reads"),
      event(-500, "connected"),
      event(-499, "asked", 80),
      event(-100, "heard", 1000),
      event(900, "heard", 3096),
      event(1000, "FIN"),
      event(1001, "answered")
    ]
    assert.strictEqual(
      storyOf(connection({ group: "slow", expectedBytes: 4096, events })),
      "slow: connected at −0.50 s, asked 80 B at −0.50 s, heard 4.0 kB from −0.10 s to 0.90 s, FIN at 1.00 s, " +
        "answered the goodbye at 1.00 s; whole, 4.0 kB; FIN after 1.00 s"
    )
  })

  it("says what was lost in the unit of what was due", () => {
    const lost = (expectedBytes: number, receivedBytes: number) =>
      outcomeOf(connection({ whole: false, expectedBytes, receivedBytes }))
    assert.strictEqual(lost(64 * megabyte, 52 * megabyte), "lost 12.0 of 64.0 MB")
    assert.strictEqual(lost(64 * megabyte, 64 * megabyte - 17), "lost 17 B of 64.0 MB")
    assert.strictEqual(lost(40, 0), "lost 40 of 40 B")
    assert.strictEqual(lost(0, 12), "answer not whole")
    assert.strictEqual(outcomeOf(connection({ whole: false, instead: ["503"] })), "503 instead of an answer")
    assert.strictEqual(outcomeOf(connection({ expectedBytes: 0, receivedBytes: 0 })), "nothing was due")
    assert.strictEqual(bytesOf(1024 ** 6), "1048576.0 TB")
  })

  it("says when it ended, and of many from when to when", () => {
    const told = (toldMillis: number | null) => connection({ toldMillis, events: [] })
    assert.strictEqual(endingOf([told(18), told(77)]), "FIN after 0.02 to 0.08 s")
    assert.strictEqual(endingOf([told(2)]), "FIN at once")
    assert.strictEqual(endingOf([told(-500), told(-700)]), "FIN 0.50 to 0.70 s before the signal")
    assert.strictEqual(endingOf([told(null)]), "FIN")
    const open = connection({ ending: "open", seen: [], toldMillis: null, events: [] })
    assert.strictEqual(endingOf([open]), "still open, told nothing")
    assert.strictEqual(endingOf([{ ...open, seen: ["GOAWAY"], toldMillis: 20 }]), "GOAWAY after 0.02 s, still open")
    assert.strictEqual(
      endingOf([{ ...open, trouble: "ETIMEDOUT", toldMillis: 20 }]),
      "ETIMEDOUT after 0.02 s, still open"
    )
  })
})

describe("the end of a process", () => {
  it("is its exit code, its signal, or that it was killed", () => {
    assert.strictEqual(exitStoryOf(play()), "exit 0 after 1.03 s")
    assert.strictEqual(exitStoryOf(play({ exitCode: null, exitSignal: "SIGSEGV" })), "SIGSEGV after 1.03 s")
    assert.strictEqual(exitStoryOf(play({ killed: true, exitSeconds: 30 })), "killed after 30.0 s")
    assert.strictEqual(exitStoryOf(play({ exitCode: null, exitSeconds: null })), "the process had not ended")
  })
})
