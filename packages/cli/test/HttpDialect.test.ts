import { assert, describe, it } from "vitest"
import { HttpTranscript } from "../src/clients/HttpDialect.ts"

const answered = (head: string): HttpTranscript => {
  const transcript = new HttpTranscript("localhost")
  transcript.ask({ method: "GET", path: "/" })
  transcript.hear(Buffer.from(`${head}\r\nContent-Length: 2\r\n\r\nok`))
  return transcript
}

describe("an answer of HTTP/1.0", () => {
  it("is the last on its connection, without a word", () => {
    assert.isTrue(answered("HTTP/1.0 200 OK").saidLast)
    assert.isFalse(answered("HTTP/1.1 200 OK").saidLast)
  })

  it("is not the last where it says that the connection is kept", () => {
    assert.isFalse(answered("HTTP/1.0 200 OK\r\nConnection: keep-alive").saidLast)
  })
})
