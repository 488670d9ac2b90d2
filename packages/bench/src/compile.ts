/** Finwait as it is published: compiled. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"

export const compile = (): void => {
  const tsc = join(import.meta.dirname, "../../../node_modules/.bin/tsc")
  const projects = ["finwait", "node"].map((name) => join(import.meta.dirname, `../../${name}`))
  const isWindows = process.platform === "win32"
  const { error, status, stdout } = spawnSync(tsc, ["-b", ...projects], { encoding: "utf8", shell: isWindows })
  if (status !== 0) throw new Error(`Finwait does not compile: ${error?.message ?? stdout}`)
}
