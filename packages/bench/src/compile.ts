/**
 * Finwait as it is published, and who is measured: compiled. Node's type stripping is WebAssembly, whose memory grows with
 * the sources that it is given, and the first time it does V8 gives up on what makes loops over bytes quick, for the life
 * of the process: a server of many sources would unmask at half of the speed of one of few.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"

export const compile = (): void => {
  const tsc = join(import.meta.dirname, "../../../node_modules/.bin/tsc")
  const isWindows = process.platform === "win32"
  const { error, status, stdout } = spawnSync(tsc, ["-b", join(import.meta.dirname, "..")], {
    encoding: "utf8",
    shell: isWindows
  })
  if (status !== 0) throw new Error(`it does not compile: ${error?.message ?? stdout}`)
}
