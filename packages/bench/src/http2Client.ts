/** One session of the load generator's, in the clear; each message is a stream. */
import * as http2 from "node:http2"
import { type Asking, fail, total, type To } from "./client.ts"

/** Who was refused may ask elsewhere: nothing is lost (RFC 9113, 8.7). */
const refused = http2.constants.NGHTTP2_REFUSED_STREAM

export class Http2Client implements Asking {
  isEnding = false
  onAnswer: Asking["onAnswer"] = () => {}
  onEnd: Asking["onEnd"] = () => fail("the server ended a connection")
  private readonly answerBytes: number
  private readonly session: http2.ClientHttp2Session
  /** Streams without their answer. */
  private missing = 0
  private hasParted = false

  constructor({ address, exchange }: To, onReady: (client: Http2Client) => void) {
    this.answerBytes = exchange.answer.length
    let problem: Error | undefined
    this.session = http2
      .connect(`http://127.0.0.1:${address}`, () => onReady(this))
      .on("error", (error) => (problem = error))
      .on("close", () => this.onEnd(this, problem))
  }

  get isAnswered(): boolean {
    return this.missing === 0
  }

  get isParted(): boolean {
    return this.hasParted
  }

  ask(messages: number): void {
    for (let i = 0; i < messages && !this.session.closed && !this.session.destroyed; i++) this.askOne()
  }

  part(): void {
    this.hasParted = true
    this.session.close()
  }

  private askOne(): void {
    const stream = this.session.request({ ":path": "/" })
    let status: number | undefined
    let bytes = 0
    this.missing++
    stream
      .on("response", (headers) => (status = headers[":status"]))
      .on("data", (chunk: Buffer) => (bytes += chunk.length))
      .on("error", () => {})
      .on("end", () => {
        total.in += bytes
        if (status !== 200 || bytes !== this.answerBytes) {
          if (!this.isEnding) fail("what comes is no answer")
          return
        }
        this.missing--
        total.ops++
        this.onAnswer(this, 1)
      })
      .on("close", () => {
        if (stream.rstCode === refused) this.missing--
      })
  }
}
