/**
 * What npm would get, built and packed in a copy of the workspace, so that the tests beside this one keep their `dist`;
 * in a fresh copy no output of a deleted file is left over either.
 */
import { execFile } from "node:child_process"
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = join(import.meta.dirname, "..")
const copy = mkdtempSync(join(realpathSync(tmpdir()), "finwait-publish-"))
const consumer = join(copy, "consumer")

const packages = [
  { name: "finwait", folder: "packages/finwait" },
  { name: "@finwait/node", folder: "packages/node" },
  { name: "@finwait/cli", folder: "packages/cli" }
]

const link = (target: string, path: string) => {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(realpathSync(target), path, "junction")
}

/** Runs a command and returns all that it printed, be it for better or worse. */
const run = (command: string, args: ReadonlyArray<string>, cwd: string): Promise<string> =>
  promisify(execFile)(command, args, { cwd, shell: process.platform === "win32" && command === "npx" }).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => `failed\n${stdout}${stderr}`
  )

const tsc = (cwd: string, ...args: ReadonlyArray<string>) =>
  run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...args, "--pretty", "false"], cwd)

// Under `pnpm test` pnpm has told where it is; otherwise npx finds it, which takes a moment longer.
const exec = process.env["npm_execpath"] ?? ""
const pnpm = (cwd: string, ...args: ReadonlyArray<string>) =>
  /^pnpm(\.exe)?$/.test(basename(exec)) ? run(exec, args, cwd) : run("npx", ["-y", "pnpm@12", ...args], cwd)

let built = ""

beforeAll(async () => {
  for (const file of ["package.json", "pnpm-workspace.yaml", "tsconfig.base.json", "LICENSE"]) {
    cpSync(join(root, file), join(copy, file))
  }
  for (const { folder } of packages) {
    for (const entry of readdirSync(join(root, folder))) {
      if (!["dist", "node_modules", "test"].includes(entry)) {
        cpSync(join(root, folder, entry), join(copy, folder, entry), { recursive: true })
      }
    }
  }
  for (const dependency of [
    "effect",
    "@types/node",
    "@types/ws",
    "ws",
    "@effect/platform-node-shared",
    "@effect/platform-node"
  ]) {
    const target = join(root, "packages/node/node_modules", dependency)
    link(target, join(copy, "node_modules", dependency))
    link(target, join(consumer, "node_modules", dependency))
  }
  link(join(copy, "packages/finwait"), join(copy, "packages/node/node_modules/finwait"))
  link(join(copy, "packages/finwait"), join(copy, "packages/cli/node_modules/finwait"))
  link(join(copy, "packages/node"), join(copy, "packages/cli/node_modules/@finwait/node"))
  built = await tsc(copy, "-b", "packages/node", "packages/cli")
  for (const { name, folder } of packages) {
    await pnpm(join(copy, folder), "pack", "--pack-destination", copy)
    const installed = join(consumer, "node_modules", name)
    mkdirSync(installed, { recursive: true })
    await run("tar", ["-xzf", tarball(name), "--strip-components=1", "-C", installed], copy)
  }
}, 60_000)

afterAll(() => rmSync(copy, { recursive: true, force: true }))

const manifest = (path: string) => JSON.parse(readFileSync(join(path, "package.json"), "utf8"))

const tarball = (name: string) =>
  join(copy, `${name.replace("@", "").replace("/", "-")}-${manifest(join(root, "packages/finwait")).version}.tgz`)

/** Every module that the exports of a package offer, by the names that users write. The command has one. */
const modulesOf = ({ name, folder }: (typeof packages)[number]) =>
  globSync(name === "@finwait/cli" ? "index.ts" : "**/*.ts", { cwd: join(root, folder, "src") })
    .map((file) => file.replaceAll("\\", "/").replace(/\.ts$/, ""))
    .filter((module) => !module.includes("internal/"))
    .map((module) => (module === "index" ? name : `${name}/${module}`))

it("builds from nothing", () => {
  assert.strictEqual(built, "")
})

describe.each(packages)("$name", (pkg) => {
  it("has nothing that publint would change", async () => {
    const bytes = readFileSync(tarball(pkg.name))
    const tar = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
    const { messages, pkg: json } = await publint({ pack: { tarball: tar }, strict: true })
    assert.deepStrictEqual(
      messages.map((message) => formatMessage(message, json)),
      []
    )
  })

  it("points at what is built, keeps its internals, and says nothing of the workspace", () => {
    const json = manifest(join(consumer, "node_modules", pkg.name))
    assert.strictEqual(json.exports["."].default, "./dist/index.js")
    assert.isTrue(pkg.name === "@finwait/cli" || json.exports["./internal/*"] === null)
    assert.isTrue(existsSync(join(consumer, "node_modules", pkg.name, json.bin?.finwait ?? "dist/index.js")))
    assert.notMatch(JSON.stringify(json), /workspace:|catalog:|\/src\//)
  })

  it("ships its licence, its sources and their maps, and no build state", () => {
    const installed = join(consumer, "node_modules", pkg.name)
    for (const file of ["LICENSE", "src/index.ts", "dist/index.js", "dist/index.js.map", "dist/index.d.ts.map"]) {
      assert.isTrue(existsSync(join(installed, file)), `${file} is missing`)
    }
    assert.deepStrictEqual(globSync("**/{*.tsbuildinfo,.tsbuildinfo,test}", { cwd: installed }), [])
  })
})

describe("somebody who installs it", () => {
  const modules = packages.flatMap(modulesOf)

  it("can import every module", async () => {
    const script = `for (const name of ${JSON.stringify(modules)}) await import(name)`
    assert.strictEqual(await run(process.execPath, ["--input-type=module", "--eval", script], consumer), "")
  }, 30_000)

  it("can check a server", async () => {
    const program = `require("node:net").createServer((s) => s.pipe(s)).listen(process.env.PORT, "127.0.0.1")`
    const server = [process.execPath, "--eval", program]
    const options = ["check", "--profile", "line", "--only", "S2a", "--grace", "5s", "--json", "-"]
    const command = join(consumer, "node_modules/@finwait/cli/dist/main.js")
    const printed = await run(process.execPath, [command, ...options, "--", ...server], consumer)
    assert.strictEqual(JSON.parse(printed).rows[0].verdict, "pass", printed)
  }, 30_000)

  it("cannot import the internals", async () => {
    const script = `await import("finwait/internal/close")`
    assert.include(
      await run(process.execPath, ["--input-type=module", "--eval", script], consumer),
      "ERR_PACKAGE_PATH_NOT_EXPORTED"
    )
  })

  it("finds the types of every module, and no error in them", async () => {
    writeFileSync(join(consumer, "package.json"), `{ "type": "module" }`)
    writeFileSync(
      join(consumer, "main.ts"),
      modules.map((name, index) => `export * as m${index} from "${name}"\n`).join("")
    )
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--types", "node"]
    const output = await tsc(consumer, ...options, "--skipLibCheck", "false", "main.ts")
    // Other people's declarations are checked with ours, and are not ours to repair.
    assert.deepStrictEqual(
      output
        .split(/\n(?=\S)/)
        .filter((error) => /error/.test(error) && !/node_modules\/(?!finwait|@finwait)/.test(error)),
      []
    )
  }, 30_000)
})
