/**
 * What the tests of the close are worth: mistakes are planted in a copy of the sources, one at a time, and the hunt
 * (explorations, campaign, laws) has to find each of them by itself.
 */
import { execFile } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type Bug, bugs } from "./planted/bugs.ts"
import { occurrences, plant } from "./planted/copy.ts"

interface Hunted {
  readonly code: number | null
  readonly said: string
}

/** Hunts in a copy with the mistake; a hunt that hangs has found something, and says so by a signal. */
const hunt = (bug: Bug | undefined): Promise<Hunted> =>
  new Promise((resolve) => {
    const { hunt, remove } = plant(bug)
    const child = execFile(
      process.execPath,
      [join(hunt, "hunt.ts")],
      { timeout: 120_000, killSignal: "SIGKILL" },
      (_, stdout, stderr) => {
        remove()
        resolve({ code: child.exitCode, said: stdout + stderr })
      }
    )
  })

const nothing = "nothing is planted"
const hunted = new Map<string, Hunted>()

// A sound copy as well: a hunt that finds what is not there proves nothing.
beforeAll(async () => {
  const waiting: Array<Bug | undefined> = [undefined, ...bugs]
  const work = async () => {
    while (waiting.length > 0) {
      const bug = waiting.shift()
      hunted.set(bug?.name ?? nothing, await hunt(bug))
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
}, 600_000)

afterAll(() => {
  const width = Math.max(...bugs.map(({ name }) => name.length))
  const lines = bugs.map(({ name }) => `${name.padEnd(width)}  ${hunted.get(name)?.said.split(":")[0]}`)
  console.log(["planted mistakes, and what found them first:", ...lines].join("\n"))
})

describe("the hunt", () => {
  it("finds nothing where nothing is planted", () => {
    assert.deepStrictEqual(hunted.get(nothing), { code: 0, said: "" })
  })

  it.each(bugs)("finds that $name", (bug) => {
    assert.strictEqual(occurrences(bug), 1, "the line is in the sources once")
    const { code, said } = hunted.get(bug.name)!
    assert.strictEqual(code, 1, said)
    assert.match(said, /^(explorations|campaign|laws): /)
  })
})
