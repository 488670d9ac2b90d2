/** A client of HTTP on `node:http` alone, one connection for one request: what it hears of the answer, while it comes. */
import * as http from "node:http"
import * as https from "node:https"
import { Watch } from "./Watch.ts"

/** Only tells an end from a hang. */
const boundMillis = 12_000

export interface Answer {
  readonly status: number | undefined
  readonly text: string
  /** `end`, or the code of what broke it. */
  readonly ending: string
}

export class WebClient {
  readonly request: http.ClientRequest
  response: http.IncomingMessage | undefined
  /** `end`, or the code of what broke it. */
  ending: string | undefined
  private readonly chunks: Array<Buffer> = []
  private readonly watch = new Watch()

  /** Whoever sends a body ends the request himself. */
  constructor(url: string, options: https.RequestOptions = {}) {
    this.request = (url.startsWith("https:") ? https : http).request(url, { agent: false, ...options })
    this.request.on("response", (response) => {
      this.response = response
      response.on("data", (chunk: Buffer) => {
        this.chunks.push(chunk)
        this.watch.changed()
      })
      response.on("end", () => this.end("end"))
      response.on("error", (error: NodeJS.ErrnoException) => this.end(error.code ?? error.message))
      this.watch.changed()
    })
    this.request.on("error", (error: NodeJS.ErrnoException) => this.end(error.code ?? error.message))
    if ((options.method ?? "GET") === "GET") this.request.end()
  }

  static get(url: string, options?: https.RequestOptions): Promise<Answer> {
    return new WebClient(url, options).answer()
  }

  static send(method: string, url: string, body: unknown): Promise<Answer> {
    const client = new WebClient(url, { method, headers: { "content-type": "application/json" } })
    client.request.end(JSON.stringify(body))
    return client.answer()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.bytes.toString()
  }

  /** The events of a stream so far, which are JSON each. */
  get events(): ReadonlyArray<any> {
    return [...this.text.matchAll(/^data: (.*)\n\n/gm)].map(([, data]) => JSON.parse(data!))
  }

  /** Waits until a text has arrived. */
  hears(text: string): Promise<void> {
    return this.until(() => this.text.includes(text), `"${text}"`)
  }

  /** Waits until the answer begins. */
  begins(): Promise<void> {
    return this.until(() => this.response !== undefined, "an answer begins")
  }

  /** Waits for the end, and says how it was. */
  async answer(): Promise<Answer> {
    await this.until(() => this.ending !== undefined, "the answer ends")
    return { status: this.response?.statusCode, text: this.text, ending: this.ending! }
  }

  private until(condition: () => boolean, what: string): Promise<void> {
    const heard = () => `${this.response?.statusCode}, ${this.ending ?? "open"}: ${this.text.slice(-200)}`
    return this.watch.until(condition, boundMillis, () => `${what}; ${heard()}`)
  }

  private end(how: string): void {
    this.ending ??= how
    this.watch.changed()
  }
}
