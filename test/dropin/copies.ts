/** Programs that were written for Effect's own sockets, and copies of them in which only imports are others. */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { root } from "../tools/blocks.ts"

/** What is replaced by what, in an import and nowhere else. */
export const replaced: ReadonlyMap<string, string> = new Map([
  [`"@effect/platform-node/NodeSocket"`, `"@finwait/node/NodeSocket"`],
  [`"@effect/platform-node/NodeSocketServer"`, `"@finwait/node/NodeSocketServer"`]
])

/** The end of a line that imports. */
const importLine = /^(?<before>import .* from )(?<module>"[^"]+")$/

export const copyOf = (text: string): string =>
  text
    .split("\n")
    .map((line) => {
      const { before = "", module = "" } = importLine.exec(line)?.groups ?? {}
      const other = replaced.get(module)
      return other === undefined ? line : before + other
    })
    .join("\n")

const programs = join(import.meta.dirname, "programs")

/** The files of the programs. */
export const names: ReadonlyArray<string> = readdirSync(programs).toSorted()

export const original = (name: string): string => join(programs, name)

export const read = (file: string): string => readFileSync(file, "utf8")

/** Writes all copies to a new folder, inside of test/ so that they import by name as their originals do. */
export const write = (): string => {
  mkdirSync(join(root, "test/.generated"), { recursive: true })
  const directory = mkdtempSync(join(root, "test/.generated/dropin-"))
  for (const name of names) writeFileSync(join(directory, name), copyOf(read(original(name))))
  const tsconfig = {
    extends: "../../tsconfig.json",
    compilerOptions: { incremental: false },
    include: ["*.ts"],
    exclude: [],
    references: ["finwait", "node"].map((name) => ({ path: `../../../packages/${name}` }))
  }
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(tsconfig))
  return directory
}

export interface Ended {
  readonly code: number | string | null
  readonly stdout: string
  readonly stderr: string
}

/** Every program loads the same modules: compiled once, a process starts in half the time. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(root, "node_modules/.cache/node") }

/** Runs a script to its end. */
export const run = (...args: ReadonlyArray<string>): Promise<Ended> =>
  promisify(execFile)(process.execPath, args, { cwd: root, timeout: 60_000, env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, signal, stdout, stderr }) => ({ code: code ?? `killed by ${signal}`, stdout, stderr })
  )
