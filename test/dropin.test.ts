/**
 * A program that was written for Effect's own sockets changes its imports and nothing else, and does the same.
 *
 * The programs are in test/dropin/programs, each as a user of Effect writes it. They say what happens to them; the
 * copies have to say the same.
 */
import { rmSync } from "node:fs"
import { basename, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type Ended, names, original, read, replaced, run, write } from "./dropin/copies.ts"
import { root } from "./tools/blocks.ts"

const directory = write()
const copy = (name: string): string => join(directory, name)

afterAll(() => rmSync(directory, { recursive: true }))

it.each(names)("%s: nothing but imports of the two socket modules differs", (name) => {
  const before = read(original(name)).split("\n")
  const after = read(copy(name)).split("\n")
  assert.strictEqual(after.length, before.length)
  const changed = before.flatMap((line, n) => (line === after[n] ? [] : [[line, after[n]]]))
  const importing = before.flatMap((line) =>
    [...replaced].flatMap(([from, to]) =>
      line.startsWith("import ") && line.endsWith(` from ${from}`) ? [[line, line.replace(from, to)]] : []
    )
  )
  assert.deepStrictEqual(changed, importing)
  assert.isNotEmpty(changed)
  const modules = after.flatMap((line) => /^import .* from "(.*)"$/.exec(line)?.[1] ?? [])
  const ofEffect = modules.filter((module) => module.startsWith("@effect/"))
  assert.deepStrictEqual(ofEffect, ["@effect/platform-node/NodeRuntime"])
})

describe("types", () => {
  let errors: ReadonlyArray<string> = []

  beforeAll(async () => {
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    const { code, stdout } = await run(tsc, "-b", directory, "--pretty", "false")
    if (code !== 0 && stdout === "") throw new Error(`tsc ended with ${code}`)
    errors = stdout.split(/\n(?=\S)/).filter((line) => line.trim() !== "")
  }, 60_000)

  it.each(names)("%s", (name) => {
    const file = `test/.generated/${basename(directory)}/${name}`
    assert.deepStrictEqual(
      errors.filter((error) => error.startsWith(`${file}(`)),
      []
    )
  })

  it("the compiler did its work", () => {
    assert.deepStrictEqual(
      errors.filter((error) => !/^[^(]+\.ts\(/.test(error)),
      []
    )
  })
})

/** A server of Finwait's says in the log where it listens, and how it drains: the one thing that a program says more. */
const announcement = /^\[[\d:.]+\] INFO \(#\d+\): (?<what>listen|drain) .*\n/gm

describe.concurrent("what they say", () => {
  it.each(names)(
    "%s",
    async (name) => {
      const [before, after] = await Promise.all([run(original(name)), run(copy(name))])
      const well: Ended = { code: 0, stdout: before.stdout, stderr: "" }
      assert.deepStrictEqual(before, well)
      assert.isNotEmpty(before.stdout)
      const announced = new Set([...after.stdout.matchAll(announcement)].map(({ groups }) => groups!["what"]))
      assert.deepStrictEqual({ ...after, stdout: after.stdout.replaceAll(announcement, "") }, well)
      assert.deepStrictEqual([...announced], ["listen", "drain"])
    },
    60_000
  )
})
