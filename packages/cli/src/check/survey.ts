/** Finds out what a server answers before it is told to stop: what is slow, what is large, and what is there at all. */
import { Client } from "../clients/Client.ts"
import { type HttpAnswer, HttpTranscript } from "../clients/HttpDialect.ts"
import { httpAsk, uploadBytes } from "../profiles/profiles.ts"
import type { Profile, Purpose, Request, Survey } from "../profiles/Profile.ts"
import { settles } from "../Waiting.ts"
import { CannotStart, type Server } from "./Server.ts"

/** Paths that many servers of examples and tests have. */
const guesses: Partial<Record<Purpose, ReadonlyArray<string>>> = {
  quick: ["/"],
  slow: ["/slow", "/sleep", "/delay/2", "/delay"],
  large: ["/large", "/download", "/big"],
  upload: ["/upload", "/"]
}

const answerMillis = 20_000
/** Less is not slow. */
const slowLeastMillis = 500
/** Less is not large. */
const largeLeastBytes = 1024 * 1024

interface Asked {
  readonly answer: HttpAnswer | undefined
  readonly whole: boolean
  readonly receivedBytes: number
  readonly millis: number
  /** What happened to the connection, if it was not answered. */
  readonly ending: string
  /** The server ended it. */
  readonly isOver: boolean
}

const ask = async (server: Server, profile: Profile, request: Request, uploads: boolean): Promise<Asked> => {
  const client = new Client<Request>(server.command.to, profile.wire, { group: "survey" })
  try {
    await client.ready().catch(() => {})
    const from = performance.now()
    client.ask(request)
    if (uploads) client.send(Buffer.alloc(uploadBytes, "u"))
    await settles(
      answerMillis,
      client.answered().catch(() => {})
    )
    const { transcript } = client
    const answers = transcript instanceof HttpTranscript ? transcript.answers : []
    const { seen, trouble } = client.record(undefined)
    return {
      answer: answers.at(-1),
      whole: transcript.whole,
      receivedBytes: transcript.receivedBytes,
      millis: performance.now() - from,
      isOver: client.over,
      ending: trouble ?? (seen.length > 0 ? seen.join(", ") : `no answer within ${answerMillis / 1000} s`)
    }
  } finally {
    client.leave()
  }
}

export const survey = async (server: Server, profile: Profile): Promise<Survey> =>
  profile.name === "http" || profile.name === "http2" ? ofHttp(server, profile) : ofScript(server, profile)

const ofHttp = async (server: Server, profile: Profile): Promise<Survey> => {
  const requests: Partial<Record<Purpose, Request>> = {}
  const described: Partial<Record<Purpose, string>> = {}
  let slowMillis = 0
  let largeBytes = 0
  for (const purpose of ["quick", "slow", "large", "upload"] as const) {
    const given = profile.requests[purpose]
    const candidates: ReadonlyArray<Request> =
      given === undefined ? (guesses[purpose] ?? []).map((path) => httpAsk(purpose, path)) : [given]
    const accept = (request: Request, what: string) => {
      requests[purpose] = request
      described[purpose] = `${request.method} ${request.path} (${what})${given === undefined ? ", found" : ""}`
    }
    for (const request of candidates) {
      const asked = await ask(server, profile, request, purpose === "upload")
      const { answer, ending, millis, whole } = asked
      const name = `${request.method} ${request.path}`
      // To lose this answer is what some servers do, whatever they answer, and is found out by the scenario.
      if (purpose === "upload" && (answer === undefined || !whole) && (given !== undefined || asked.isOver)) {
        accept(request, answer?.status ?? ending)
        if (given === undefined) continue
        break
      }
      if (given === undefined && purpose !== "quick" && !suits(purpose, request, asked)) continue
      if (answer === undefined) throw new CannotStart(`${name} was not answered: ${ending}`, server.output)
      if (!whole) throw new CannotStart(`${name} was answered ${answer.status}, and not to the end`, server.output)
      if (!isOk(answer) && (purpose === "slow" || purpose === "large")) {
        throw new CannotStart(`${name} was answered ${answer.status}: give another path, --http ${purpose}=/path`, "")
      }
      const answered = { ...request, status: Number(answer.status), bytes: answer.bytes }
      accept(answered, `${answer.status}, ${answer.bytes} bytes, ${(millis / 1000).toFixed(2)} s`)
      if (purpose === "slow") slowMillis = millis
      if (purpose === "large") largeBytes = answer.bytes
      break
    }
  }
  return { requests, described, slowMillis, largeBytes }
}

const isOk = ({ status }: HttpAnswer): boolean => status.startsWith("2")

/** Whether a path that was guessed is good for what it was guessed for. */
const suits = (purpose: "slow" | "large" | "upload", request: Request, { answer, millis, whole }: Asked): boolean => {
  if (answer === undefined || !whole) return false
  if (purpose === "upload") return answer.status !== "404" || request.path === "/"
  return isOk(answer) && (purpose === "slow" ? millis >= slowLeastMillis : answer.bytes >= largeLeastBytes)
}

const ofScript = async (server: Server, profile: Profile): Promise<Survey> => {
  const { described, requests } = profile
  let slowMillis = 0
  let largeBytes = 0
  for (const purpose of ["quick", "slow", "large"] as const) {
    const request = requests[purpose]
    if (request === undefined) continue
    const { ending, millis, receivedBytes, whole } = await ask(server, profile, request, false)
    if (!whole) {
      const what = receivedBytes > 0 ? `${receivedBytes} bytes came, and not what was expected` : ending
      throw new CannotStart(`the ${purpose} request, ${described[purpose]}, was not answered: ${what}`, server.output)
    }
    if (purpose === "slow") slowMillis = millis
    if (purpose === "large") largeBytes = receivedBytes
  }
  if (Object.keys(requests).length === 0) await canUpgrade(server, profile)
  return { requests, described, slowMillis, largeBytes }
}

/** A WebSocket of which nothing is known can be opened, at least. */
const canUpgrade = async (server: Server, profile: Profile): Promise<void> => {
  const client = new Client<Request>(server.command.to, profile.wire, { group: "survey" })
  try {
    await client.ready()
    const { seen, trouble } = client.record(undefined)
    if (client.over) throw new CannotStart(`there is no WebSocket: ${trouble ?? seen.join(", ")}`, server.output)
  } finally {
    client.leave()
  }
}
