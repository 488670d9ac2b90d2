/** Programs of this machine, and the versions of whatever is checked. */
import { execFile, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify } from "node:util"

const run = promisify(execFile)

/** A program's version, as it says itself when it is asked; `undefined` where it is not installed. */
export const versionOf = async (program: string, option: string): Promise<string | undefined> => {
  try {
    const { stderr, stdout } = await run(program, [option])
    const said = `${stdout}${stderr}`
    return /\d+\.\d\S*/.exec(said)?.[0] ?? said.trim()
  } catch {
    return undefined
  }
}

/** Of one of this package's dependencies, as it is installed. */
export const installed = (name: string): string => {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version
}

export interface Backend {
  readonly port: string
  readonly end: () => Promise<void>
}

/** Starts a subject that others stand in front of. It says where it listens. */
export const backend = (file: string, env: NodeJS.ProcessEnv): Promise<Backend> => {
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"], env: { ...env, PORT: "0" } })
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()))
  const kill = () => void child.kill("SIGKILL")
  process.once("exit", kill)
  const end = async () => {
    process.off("exit", kill)
    kill()
    await exited
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) => reject(new Error(`${file} ended with ${code} before it listened`)))
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const port = /"listening":"tcp:\/\/[^"]*:(\d+)"/.exec(text)?.[1]
      if (port !== undefined) resolve({ port, end })
    })
  })
}
