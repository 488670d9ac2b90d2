/** The code in README, docs and JSDoc is checked and run, so that it cannot rot. test/tools/blocks.ts tells how. */
import { execFile } from "node:child_process"
import { rmSync } from "node:fs"
import { basename, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type Block, blocksOf, differences, readAll, root, write } from "./tools/blocks.ts"

interface Ended {
  readonly code: number | string | null
  readonly stdout: string
  readonly stderr: string
}

// Every block loads the same modules: compiled once, a process starts in half the time.
const env = { ...process.env, NODE_COMPILE_CACHE: join(root, "node_modules/.cache/node") }

/** Runs a script of Node's to its end, which is an error to nobody but the one who asked. */
const node = (...args: ReadonlyArray<string>): Promise<Ended> =>
  promisify(execFile)(process.execPath, args, { cwd: root, timeout: 10_000, env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: Ended["code"]; signal: string | null; stdout: string; stderr: string }) => ({
      code: error.signal === "SIGTERM" ? "still running after 10 seconds: end it, or mark it no-run" : error.code,
      stdout: error.stdout,
      stderr: error.stderr
    })
  )

const blocks = readAll()
const directory = write(blocks)

afterAll(() => rmSync(directory, { recursive: true }))

describe.runIf(blocks.length > 0)("types", () => {
  let errors: ReadonlyArray<string> = []

  beforeAll(async () => {
    // One run for all blocks, with the references, so that it sees the packages as they are now.
    const { code, stdout } = await node(
      join(root, "node_modules/typescript/bin/tsc"),
      "-b",
      directory,
      "--pretty",
      "false"
    )
    if (code !== 0 && stdout === "") throw new Error(`tsc ended with ${code}`)
    errors = stdout.split(/\n(?=\S)/).filter((line) => line.trim() !== "")
  }, 60_000)

  it.each(blocks.map((block) => [block.name, block] as const))("%s", (_, block) => {
    assert.deepStrictEqual(block.problems, [])
    const file = `test/.generated/${basename(directory)}/${block.file}`
    assert.deepStrictEqual(
      errors.filter((error) => error.startsWith(`${file}(`)),
      []
    )
  })

  // What is wrong with the packages themselves is told by the check of all types; here it would only be noise.
  it("the compiler did its work", () => {
    assert.deepStrictEqual(
      errors.filter((error) => !/^[^(]+\.ts\(/.test(error)),
      []
    )
  })
})

const runs = async (block: Block) => {
  const { code, stdout, stderr } = await node(join(directory, block.file))
  assert.strictEqual(code, 0, stderr + stdout)
  assert.deepStrictEqual(differences(block, stdout), [])
}

describe.concurrent("runs", () => {
  for (const block of blocks.filter(({ kind }) => kind === "run")) it(block.name, () => runs(block))
})

for (const { name, file } of blocks.filter(({ kind }) => kind === "test")) {
  describe(name, async () => {
    await import(join(directory, file))
  })
}

describe("the reading of blocks", () => {
  const document = (...lines: ReadonlyArray<string>) => lines.join("\n")
  const only = (path: string, ...lines: ReadonlyArray<string>): Block => {
    const found = blocksOf(path, document(...lines))
    assert.strictEqual(found.length, 1)
    return found[0]!
  }

  it("keeps the lines where they are", () => {
    const { name, code } = only("README.md", "# Title", "", "```ts", "const a = 1", "```")
    assert.strictEqual(name, "README.md:4")
    assert.strictEqual(code.split("\n")[3], "const a = 1")
  })

  it("reads comments of TypeScript, and nothing else of it", () => {
    const { code } = only(
      "a.ts",
      "/**",
      " * ```ts",
      " * if (a) {",
      " *",
      " *   b()",
      " * }",
      " * ```",
      " */",
      "`",
      "```ts",
      "`"
    )
    assert.strictEqual(code, "\n\nif (a) {\n\n  b()\n}\nexport {}\n")
  })

  it("reads what is indented in a list, and passes over other languages and fences within fences", () => {
    const { code } = only(
      "a.md",
      "- a",
      "  ```ts",
      "  a()",
      "  ```",
      "",
      "```sh",
      "ls",
      "```",
      "````md",
      "```ts",
      "b()",
      "```",
      "````"
    )
    assert.strictEqual(code, "\n\na()\nexport {}\n")
  })

  it("tells what is run from what is not", () => {
    assert.strictEqual(only("a.md", "```ts", "a()", "```").kind, "run")
    assert.strictEqual(only("a.md", "```ts no-run", "a()", "```").kind, "no-run")
    assert.strictEqual(only("a.md", "```ts", "declare const a: number", "```").kind, "no-run")
    assert.strictEqual(only("a.md", "```ts test", "it()", "```").kind, "test")
  })

  it("refuses marks that it does not know, and promises that nobody would check", () => {
    assert.lengthOf(only("a.md", "```ts norun", "a()", "```").problems, 1)
    assert.lengthOf(only("a.md", "```ts", "a() // => 1", "```").problems, 1)
    assert.lengthOf(only("a.md", "```ts no-run", "console.log(a) // => 1", "```").problems, 1)
  })

  it("compares what is printed, line by line, in whatever order", () => {
    const block = only(
      "a.md",
      "```ts",
      "later(() => console.log(1) // => 1",
      ")",
      "console.log({ a }) // => { a: 1 }",
      "```"
    )
    assert.deepStrictEqual(block.problems, [])
    assert.deepStrictEqual(differences(block, "line 4: { a: 1 }\nanything\nline 2: 1\n"), [])
    assert.lengthOf(differences(block, "line 4: { a: 2 }\nline 2: 1\n"), 1)
    assert.lengthOf(differences(block, "line 4: { a: 1 }\n"), 1)
    assert.lengthOf(differences(block, "line 4: { a: 1 }\nline 2: 1\nline 2: 2\n"), 1)
  })
})
