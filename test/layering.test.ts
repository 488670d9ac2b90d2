/**
 * The core imports `effect` and its own files, nothing else. The linter enforces the same and more; this proves it
 * without the linter, by reading every import, and proves that both can fail.
 */
import { spawnSync } from "node:child_process"
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative, resolve } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"

const root = join(import.meta.dirname, "..")
const core = join(root, "packages/finwait/src")

/**
 * What a file imports, by any means, read by a pattern so coarse that it finds too much rather than too little: a
 * statement at the start of a line, or a call anywhere but in a comment's line.
 */
const importsOf = (source: string): ReadonlyArray<string> => {
  const code = source.replaceAll(/^\s*(\*|\/\/(?!\/)).*$/gm, "")
  return [
    ...code.matchAll(/^(?:\s|\/\*.*?\*\/)*(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"']*)["']/gm),
    ...code.matchAll(/^(?:\s|\/\*.*?\*\/)*import\s*["']([^"']*)["']/gm),
    ...code.matchAll(/\b(?:import|require|getBuiltinModule)\s*\(\s*([^)]*)\)/g),
    ...code.matchAll(/^\/\/\/\s*<reference\s+(?:types|path)\s*=\s*["']([^"']*)["']/gm)
  ].map((match) => match[1]!.replaceAll(/^["'`]|["'`]$/g, ""))
}

const isAllowedInCore = (file: string, specifier: string): boolean =>
  specifier.startsWith(".")
    ? !relative(core, resolve(dirname(file), specifier)).startsWith("..")
    : specifier.startsWith("effect/") && !specifier.startsWith("effect/internal/")

const breaksOf = (file: string, source: string) =>
  importsOf(source).filter((specifier) => !isAllowedInCore(file, specifier))

describe("the core", () => {
  const files = globSync("**/*.ts", { cwd: core }).map((name) => join(core, name))

  it("imports effect's modules and its own files, nothing else", () => {
    assert.isAbove(files.length, 0)
    const breaks = files.flatMap((file) =>
      breaksOf(file, readFileSync(file, "utf8")).map((specifier) => `${relative(root, file)} imports ${specifier}`)
    )
    assert.deepStrictEqual(breaks, [])
  })

  it("has imports that the reading finds", () => {
    const found = new Set(files.flatMap((file) => importsOf(readFileSync(file, "utf8"))))
    assert.include([...found], "effect/Effect")
  })

  const file = join(core, "internal/planted.ts")

  it.each([
    ["a module of Node", `import * as Net from "node:net"`, "node:net"],
    ["one by its old name", `import { readFile } from 'fs'`, "fs"],
    ["a type only", `import type { Socket } from "node:net"`, "node:net"],
    ["for its effect", `import "node:process"`, "node:process"],
    ["over several lines", `import {\n  a,\n  b\n} from "@effect/platform-node"`, "@effect/platform-node"],
    ["by export", `export * from "lodash"`, "lodash"],
    ["behind a comment", `/* a */ import a from "node:net"`, "node:net"],
    ["by call", `const net = await import("node:net")`, "node:net"],
    ["in a type", `type Socket = import("node:net").Socket`, "node:net"],
    ["by reference", `/// <reference types="node" />`, "node"],
    ["the barrel of effect", `import { Effect } from "effect"`, "effect"],
    ["its own name", `import * as Drain from "finwait/Drain"`, "finwait/Drain"],
    ["another package's files", `import * as X from "../../../node/src/X.ts"`, "../../../node/src/X.ts"]
  ])("is caught importing %s", (_, source, specifier) => {
    assert.deepStrictEqual(breaksOf(file, `import * as Effect from "effect/Effect"\n${source}\n`), [specifier])
  })

  it("may import its own files, and show imports in its examples", () => {
    assert.deepStrictEqual(
      breaksOf(
        file,
        `/**\n * import * as Net from "node:net"\n */\nimport { a } from "../a.ts"\nexport { b } from "./b.ts"\n`
      ),
      []
    )
  })
})

describe("the linter", () => {
  const refused = [
    ["packages/finwait/src", "node:net"],
    ["packages/finwait/src", "@effect/platform-node/NodeSocket"],
    ["packages/finwait/src", "vitest"],
    ["packages/finwait/src", "effect"],
    ["packages/finwait/src", "../../node/src/b.ts"],
    ["packages/node/src", "effect"],
    ["packages/node/src", "lodash"],
    ["packages/node/src", "finwait/internal/close"],
    ["packages/node/src", "../../finwait/src/Drain.ts"],
    ["packages/scorecard/src", "effect"],
    ["packages/scorecard/src", "@finwait/node/internal/b"],
    ["examples/echo/src", "finwait/internal/close"],
    ["examples/echo/src", "../../../packages/finwait/src/Drain.ts"]
  ] as const

  const allowed = [
    ["packages/finwait/src", "effect/Effect"],
    ["packages/finwait/src", "effect/unstable/socket/Socket"],
    ["packages/finwait/src", "./internal/b.ts"],
    ["packages/node/src", "node:net"],
    ["packages/node/src", "node:fs/promises"],
    ["packages/node/src", "finwait/testing/SimNetwork"],
    ["packages/node/src", "@effect/platform-node/NodeSocket"],
    ["packages/node/src", "ws"],
    ["packages/node/src", "../internal/b.ts"],
    ["packages/scorecard/src", "node:net"],
    ["examples/echo/src", "effect"],
    ["examples/echo/test", "../src/main.ts"]
  ] as const

  const globals = ["process.exit()", "setTimeout(() => {}, 1)", "Buffer.from([])", "Date.now()"]

  // Every case is a file of its own, and one run of the linter sees them all, in a repository that has nothing else.
  const planted = new Map<string, string>()
  const plant = (folder: string, source: string) => {
    const path = `${folder}/planted${planted.size}.ts`
    planted.set(path, source)
    return path
  }
  const using = (specifier: string) => `import { a } from "${specifier}"\n\nexport const b = a\n`

  const cases = {
    refused: refused.map(([folder, specifier]) => [folder, specifier, plant(folder, using(specifier))] as const),
    allowed: allowed.map(([folder, specifier]) => [folder, specifier, plant(folder, using(specifier))] as const),
    globals: globals.map((code) => [code, plant("packages/finwait/src", `${code}\n`)] as const),
    cycle: plant("packages/finwait/src", using(`./planted${planted.size}.ts`))
  }

  let lines: ReadonlyArray<string> = []
  const saidOf = (path: string) => lines.filter((line) => line.startsWith(`${path}:`)).join("\n")

  beforeAll(() => {
    const directory = mkdtempSync(join(tmpdir(), "finwait-layers-"))
    try {
      cpSync(join(root, ".oxlintrc.json"), join(directory, ".oxlintrc.json"))
      for (const [path, source] of planted) {
        mkdirSync(dirname(join(directory, path)), { recursive: true })
        writeFileSync(join(directory, path), source)
      }
      const oxlint = join(root, "node_modules/oxlint/bin/oxlint")
      const options = { cwd: directory, encoding: "utf8" } as const
      lines = spawnSync(process.execPath, [oxlint, "--format=unix"], options).stdout.replaceAll("\\", "/").split("\n")
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it.each(cases.refused)("refuses in %s: %s", (_folder, _specifier, path) => {
    assert.include(saidOf(path), "no-restricted-imports")
  })

  it.each(cases.allowed)("allows in %s: %s", (_folder, _specifier, path) => {
    assert.strictEqual(saidOf(path), "")
  })

  it.each(cases.globals)("refuses in the core: %s", (_code, path) => {
    assert.include(saidOf(path), "no-restricted-globals")
  })

  it("refuses a cycle", () => {
    assert.include(saidOf(cases.cycle), "no-cycle")
  })
})
