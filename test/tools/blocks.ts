/**
 * Finds the code in the documentation, and writes each block to a file of its own that the compiler and Node can take.
 *
 * - ` ```ts ` is type-checked, then run; it must end by itself, with exit code 0.
 * - ` ```ts no-run ` is type-checked only: a server that runs for ever. So is a block that says `declare const`.
 * - ` ```ts test ` holds tests, which are type-checked and run as such.
 * - `console.log(x) // => text` in a block that is run: exactly this must be printed there.
 */
import { globSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export const root = join(import.meta.dirname, "../..")

export interface Block {
  /** `docs/close.md:12`: where its first line of code is. */
  readonly name: string
  readonly kind: "run" | "no-run" | "test"
  /** The code, with as many empty lines before it as it has lines before it in its document: errors show the true line. */
  readonly code: string
  /** What is to be printed, by the line of its `console.log`. */
  readonly expected: ReadonlyMap<number, string>
  /** What is wrong with the block as a block; empty when nothing is. */
  readonly problems: ReadonlyArray<string>
  /** The name of its file. */
  readonly file: string
}

const fence = /^(?<indent>[ \t]*(?:\* ?)?[ \t]*)(?<ticks>`{3,})(?<info>.*)$/

/** Reads the blocks of one document, be it Markdown or TypeScript with JSDoc. */
export const blocksOf = (path: string, text: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  const lines = text.split("\n")
  for (let i = 0; i < lines.length; i++) {
    const open = fence.exec(lines[i]!)?.groups
    // In TypeScript only a comment's line opens a block: a template literal may well hold three backticks.
    if (open === undefined || (path.endsWith(".ts") && !open["indent"]!.includes("*"))) continue
    const first = i + 1
    const body: Array<string> = []
    for (i = first; i < lines.length && lines[i]!.slice(open["indent"]!.length).trimEnd() !== open["ticks"]; i++) {
      // An empty line of a comment, or of a list, is shorter than the indentation.
      body.push(lines[i]!.slice(open["indent"]!.length))
    }
    const [language, ...words] = open["info"]!.trim().split(/\s+/)
    if (language === "ts" || language === "typescript") blocks.push(block(path, first, body, words.join(" ")))
  }
  return blocks
}

const block = (path: string, first: number, body: ReadonlyArray<string>, word: string): Block => {
  const problems: Array<string> = []
  const declares = body.some((line) => /^\s*declare const\b/.test(line))
  const kind = word === "test" || word === "no-run" ? word : declares ? "no-run" : "run"
  if (word !== "" && word !== "test" && word !== "no-run") problems.push(`\`\`\`ts ${word}: neither no-run nor test`)
  const expected = new Map<number, string>()
  const code = body.map((line, index) => {
    const [, before, value] = /^(.*?)\/\/ => ?(.*)$/.exec(line) ?? []
    if (before === undefined) return line
    const number = first + index + 1
    if (kind !== "run") problems.push(`line ${number}: // => in a block that is not run`)
    else if (!before.includes("console.log(")) problems.push(`line ${number}: // => on a line without console.log(…)`)
    expected.set(number, value!.trimEnd())
    // The line number is printed before the value, and tells which line has printed it.
    return line.replace("console.log(", `console.log("${mark}${number}:", `)
  })
  const name = `${path}:${first + 1}`
  return {
    name,
    kind,
    // Without an import or an export a file is a script, whose names all scripts share.
    code: `${"\n".repeat(first)}${code.join("\n")}\nexport {}\n`,
    expected,
    problems,
    file: `${name.replaceAll(/[^\w.-]+/g, "_")}.ts`
  }
}

const mark = "line "

/** The lines that were printed otherwise than promised, or never. Of a value over several lines the first counts. */
export const differences = (block: Block, stdout: string): ReadonlyArray<string> => {
  const printed = Map.groupBy(stdout.matchAll(new RegExp(`^${mark}(\\d+): (.*)$`, "gm")), ([, line]) => Number(line))
  return [...block.expected].flatMap(([line, expected]) =>
    (printed.get(line) ?? [["", "", "nothing at all"]]).flatMap(([, , text]) =>
      text.trimEnd() === expected ? [] : [`line ${line} says // => ${expected}, but prints ${text}`]
    )
  )
}

/** All documents whose code is executed. */
export const documents = (): ReadonlyArray<string> =>
  globSync(["README.md", "docs/**/*.md", "packages/*/README.md", "packages/*/src/**/*.ts"], { cwd: root })
    .map((path) => path.replaceAll("\\", "/"))
    .toSorted()

/** Reads all blocks of all documents. */
export const readAll = (): ReadonlyArray<Block> =>
  documents().flatMap((path) => blocksOf(path, readFileSync(join(root, path), "utf8")))

/**
 * Writes blocks to a new folder, and returns it. It is inside of test/, so that the blocks import the packages by name
 * as a user does; and it is new, so that two test runs at a time do not share one.
 */
export const write = (blocks: ReadonlyArray<Block>): string => {
  mkdirSync(join(root, "test/.generated"), { recursive: true })
  const directory = mkdtempSync(join(root, "test/.generated/blocks-"))
  for (const { file, code } of blocks) writeFileSync(join(directory, file), code)
  const tsconfig = {
    extends: "../../tsconfig.json",
    // An example may name what it does not use.
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, incremental: false },
    include: ["*.ts"],
    exclude: [],
    references: ["finwait", "node", "scorecard"].map((name) => ({ path: `../../../packages/${name}` }))
  }
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(tsconfig))
  return directory
}
