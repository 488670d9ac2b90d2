/** The C programs, compiled when there is a compiler. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, statSync } from "node:fs"
import { join } from "node:path"

const sources = join(import.meta.dirname, "../native")
const built = join(import.meta.dirname, "../node_modules/.cache/native")

const compiled = (name: string): string | undefined => {
  const source = join(sources, `${name}.c`)
  const target = join(built, name)
  if (existsSync(target) && statSync(target).mtimeMs > statSync(source).mtimeMs) return target
  mkdirSync(built, { recursive: true })
  const { error, status, stderr } = spawnSync("cc", ["-O2", "-o", target, source], { encoding: "utf8" })
  if (error !== undefined) return undefined
  if (status !== 0) throw new Error(`cc ${source}: ${stderr}`)
  return target
}

export interface Native {
  readonly loadgen: string
  readonly echod: string
}

/** Their paths; nothing where they cannot be: without a C compiler, or without Linux's epoll. */
export const native = (): Native | undefined => {
  if (process.platform !== "linux") return undefined
  const loadgen = compiled("loadgen")
  const echod = compiled("echod")
  return loadgen === undefined || echod === undefined ? undefined : { loadgen, echod }
}
