/**
 * A copy of the core with a mistake in it, and of what hunts for mistakes, in a folder of its own.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Bug } from "./bugs.ts"

const packages = join(import.meta.dirname, "../../packages")

/** How often a text is in the sources; a mistake is planted in one place, or it is another mistake than it says. */
export const occurrences = ({ file, from }: Bug): number =>
  readFileSync(join(packages, "finwait/src", file), "utf8").split(from).length - 1

/** Makes the copy, with the mistake if there is one, and gives the folder in which the hunt is. */
export const plant = (bug: Bug | undefined): { readonly hunt: string; readonly remove: () => void } => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "finwait-planted-")))
  for (const name of ["finwait", "simulate"]) {
    cpSync(join(packages, name, "src"), join(folder, name, "src"), { recursive: true })
    cpSync(join(packages, name, "package.json"), join(folder, name, "package.json"))
  }
  // Node does not strip the types of files that lie below node_modules; those behind its links do not.
  mkdirSync(join(folder, "node_modules"))
  symlinkSync(join(folder, "finwait"), join(folder, "node_modules/finwait"), "junction")
  symlinkSync(
    realpathSync(join(packages, "finwait/node_modules/effect")),
    join(folder, "node_modules/effect"),
    "junction"
  )
  if (bug !== undefined) {
    const path = join(folder, "finwait/src", bug.file)
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace(bug.from, () => bug.to)
    )
  }
  return { hunt: join(folder, "simulate/src"), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
