/** What the command line says, as what a check needs; and what is wrong with it. */
import { readFile } from "node:fs/promises"
import { constants } from "node:os"
import { basename } from "node:path"
import * as Effect from "effect/Effect"
import { type Bounds, defaults } from "../check/Bounds.ts"
import type { CheckOptions } from "../check/check.ts"
import { freePort } from "../check/freePort.ts"
import { portOf, type To } from "../clients/To.ts"
import { messageOf } from "../messageOf.ts"
import { type Profile, type Purpose, purposes } from "../profiles/Profile.ts"
import * as profiles from "../profiles/profiles.ts"
import * as Script from "../profiles/Script.ts"
import { chosen, scenarios } from "../scenarios/index.ts"

/** The arguments are wrong: what is, and what to do. */
export class WrongArguments extends Error {
  readonly _tag = "WrongArguments"
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, "": 1000 }

/** `500ms`, `30s`, `2m`; seconds where there is no unit. */
export const millisOf = (name: string, text: string): number => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|)$/.exec(text.trim())
  if (match === null) throw new WrongArguments(`--${name} ${text}: a time is wanted, such as 500ms, 30s or 2m`)
  return Number(match[1]) * units[match[2]!]!
}

/** As they stand on the command line. */
export interface Given {
  readonly command: ReadonlyArray<string>
  readonly profile: Profile["name"] | undefined
  readonly http: string | undefined
  readonly script: string | undefined
  readonly ws: string | undefined
  readonly subprotocol: string | undefined
  readonly host: string
  readonly port: number | undefined
  readonly unix: string | undefined
  readonly tls: boolean
  readonly ca: string | undefined
  readonly servername: string | undefined
  readonly allowRemote: boolean
  readonly capture: boolean
  readonly signal: string
  readonly name: string | undefined
  readonly only: ReadonlyArray<string>
  readonly skip: ReadonlyArray<string>
  readonly connections: number
  readonly repeat: number
  readonly times: Partial<
    Readonly<Record<"prompt" | "late" | "deadline" | "grace" | "close" | "start" | "rest", string>>
  >
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.")

const positional: ReadonlyArray<Purpose> = ["slow", "large", "upload", "quick"]

/** `/slow,/large,/upload,/quick`, or by name: `slow=/work,quick=/ping`. */
export const pathsOf = (text: string): Partial<Record<Purpose, string>> => {
  const paths: Partial<Record<Purpose, string>> = {}
  for (const [index, part] of text.split(",").entries()) {
    const [name, path] = /^(\w+)=(.*)$/.exec(part)?.slice(1) ?? [positional[index], part]
    if (!purposes.includes(name as Purpose)) {
      throw new WrongArguments(`--http ${text}: "${name ?? part}" is none of ${positional.join(", ")}`)
    }
    if (path === "") continue
    if (path?.startsWith("/") !== true || /\s/.test(path)) {
      throw new WrongArguments(`--http ${text}: a path begins with "/" and has no spaces, "${path}" does not`)
    }
    paths[name as Purpose] = path
  }
  return paths
}

const textOf = async (option: string, file: string): Promise<string> => {
  try {
    return await readFile(file, "utf8")
  } catch (error) {
    throw new WrongArguments(`--${option} ${file}: ${messageOf(error)}`)
  }
}

const scriptOf = async (file: string | undefined): Promise<Script.Script | undefined> => {
  if (file === undefined) return undefined
  const text = await textOf("script", file)
  try {
    return await Effect.runPromise(Script.decode(text))
  } catch (error) {
    throw new WrongArguments(`--script ${file}: ${messageOf(error)}`)
  }
}

const whereOf = async ({ allowRemote, host, port, unix }: Given): Promise<To> => {
  if (unix !== undefined) {
    if (port !== undefined) throw new WrongArguments("--unix and --port do not go together")
    return { path: unix }
  }
  if (!allowRemote && !isLoopback(host)) {
    throw new WrongArguments(
      `--host ${host} is not this machine: a check opens thousands of connections and breaks them. With --allow-remote it does`
    )
  }
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw new WrongArguments(`--port ${port}: a port is a whole number from 1 to 65535`)
  }
  const known = port ?? (await freePort(host))
  return host === "127.0.0.1" ? known : { host, port: known }
}

const profileOf = (given: Given, to: To, script: Script.Script | undefined, ca: string | undefined): Profile => {
  const { http, subprotocol, tls, ws } = given
  const name = given.profile ?? (ws !== undefined ? "websocket" : script !== undefined ? "raw" : "http")
  const isHttp = name === "http" || name === "http2"
  if (http !== undefined && !isHttp) throw new WrongArguments(`--http is for the profiles http and http2, not ${name}`)
  if (script !== undefined && isHttp) throw new WrongArguments(`--script is not for the profile ${name}, --http is`)
  if (ws !== undefined && name !== "websocket")
    throw new WrongArguments(`--ws is for the profile websocket, not ${name}`)
  if (name === "raw" && script === undefined)
    throw new WrongArguments("the profile raw needs a --script: what is sent?")
  const options: profiles.ProfileOptions = {
    to,
    tls,
    ca,
    servername: given.servername,
    paths: http === undefined ? {} : pathsOf(http),
    script,
    webSocketPath: ws,
    subprotocol
  }
  if (name === "http") return profiles.http(options)
  if (name === "http2") return profiles.http2(options)
  return name === "websocket" ? profiles.webSocket(options) : profiles.scriptProfile(name, options)
}

/** Every option that is a bound, and how they have to stand to one another. */
const boundsOf = ({ times }: Given): Bounds => {
  const of = (name: "prompt" | "late" | "deadline" | "grace" | "close", otherwise: number) =>
    times[name] === undefined ? otherwise : millisOf(name, times[name])
  const graceMillis = of("grace", defaults.graceMillis)
  const deadlineMillis = of("deadline", Math.min(defaults.deadlineMillis, (graceMillis * 2) / 3))
  const lateMillis = of("late", Math.min(defaults.lateMillis, graceMillis / 2))
  const promptMillis = of("prompt", Math.min(defaults.promptMillis, lateMillis))
  if (graceMillis <= 0) throw new WrongArguments("--grace 0: a server needs some time to end")
  if (promptMillis > lateMillis) throw new WrongArguments("--prompt is longer than --late")
  if (deadlineMillis > graceMillis) throw new WrongArguments("--deadline is longer than --grace, at which it is killed")
  const closeMillis = of("close", defaults.closeMillis)
  return { promptMillis, lateMillis, deadlineMillis, graceMillis, closeMillis }
}

/** `s3` is S3. */
export const idsOf = (option: string, ids: ReadonlyArray<string>): ReadonlyArray<string> =>
  ids.map((given) => {
    const known = scenarios.find(({ id }) => id.toLowerCase() === given.trim().toLowerCase())
    if (known !== undefined) return known.id
    throw new WrongArguments(`${option} ${given}: there are ${scenarios.map(({ id }) => id).join(", ")}`)
  })

/** `term` is SIGTERM. */
const signalOf = (given: string): NodeJS.Signals => {
  const upper = given.toUpperCase()
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`
  if (!(name in constants.signals)) throw new WrongArguments(`--signal ${given}: there is no such signal`)
  if (name === "SIGKILL" || name === "SIGSTOP") {
    throw new WrongArguments(`--signal ${given}: no process can do anything about that one`)
  }
  return name as NodeJS.Signals
}

/** Fails with {@link WrongArguments}. */
export const optionsOf = async (given: Given): Promise<CheckOptions> => {
  const { connections, only, repeat, signal, skip, times } = given
  if (given.command.length === 0) {
    throw new WrongArguments("no command: finwait check [options] -- node server.js")
  }
  const told = signalOf(signal)
  if (!Number.isInteger(repeat) || repeat < 1) throw new WrongArguments("--repeat: 1 or more")
  if (!Number.isInteger(connections) || connections < 1) throw new WrongArguments("--connections: 1 or more")
  const toPlay = chosen(idsOf("--only", only), idsOf("--skip", skip))
  if (toPlay.length === 0) throw new WrongArguments("--only and --skip leave no scenario")
  const bounds = boundsOf(given)
  const script = await scriptOf(given.script)
  const ca = given.ca === undefined ? undefined : await textOf("ca", given.ca)
  const to = await whereOf(given)
  const profile = profileOf(given, to, script, ca)
  const port = String(portOf(to) ?? "")
  const words = given.command.map((word) => word.replaceAll("{port}", port))
  return {
    name: given.name ?? nameOf(given.command),
    command: {
      words,
      to,
      signal: told,
      startMillis: times.start === undefined ? 10_000 : millisOf("start", times.start)
    },
    profile,
    bounds,
    connections,
    restMillis: times.rest === undefined ? 1200 : millisOf("rest", times.rest),
    repeat,
    scenarios: toPlay,
    captures: given.capture
  }
}

/** `node dist/server.js --port 1` is `server.js`. */
const nameOf = ([file = "", ...words]: ReadonlyArray<string>): string => {
  const isInterpreter = /^(?:node|bun|deno|python\d*(?:\.\d+)?|ruby|php|perl|sh|bash)$/.test(basename(file))
  const script = isInterpreter ? words.find((word) => !word.startsWith("-")) : undefined
  return basename(script ?? file)
}
