/**
 * What the servers of HTTP answer: the same, header for header, so that all of their answers have one length and the load
 * generator need not read them.
 */

/** Longer than any sample takes, and fastify's own. What Node has without being told differs between its versions. */
export const keepAliveMillis = 72_000

/** How long an answer of `work` takes: longer than the drain's own work, so that those who ask are under way. */
export const workMillis = 200

/** What is answered to an upload. */
const receiptBytes = 64

/** A text that ends as no other answer of a server does: with a line. Its size is in bytes. */
const text = (size: number): string => `${"~".repeat(size - 1)}\n`

/** What a row's requests are answered with. */
export const bodyOf = (service: string, size: number): string => text(service === "upload" ? receiptBytes : size)

const answerWith = (body: string, connection: ReadonlyArray<string>): Buffer =>
  Buffer.from(
    [
      "HTTP/1.1 200 OK",
      "Content-Type: text/plain",
      `Content-Length: ${body.length}`,
      "Date: Wed, 01 Jan 2020 00:00:00 GMT",
      ...connection,
      `\r\n${body}`
    ].join("\r\n")
  )

/** An answer behind which the connection stays. */
export const answer = (body: string): Buffer =>
  answerWith(body, ["Connection: keep-alive", `Keep-Alive: timeout=${keepAliveMillis / 1000}`])

/** One behind which it ends. */
export const lastAnswer = (body: string): Buffer => answerWith(body, ["Connection: close"])

const head = (method: string, more: ReadonlyArray<string>): string =>
  [`${method} / HTTP/1.1`, "Host: 127.0.0.1", "User-Agent: bench", "Accept: */*", ...more, "\r\n"].join("\r\n")

export const request = (service: string, size: number): Buffer =>
  service === "upload"
    ? Buffer.concat([
        Buffer.from(head("POST", ["Content-Type: application/octet-stream", `Content-Length: ${size}`])),
        Buffer.alloc(size, "a")
      ])
    : Buffer.from(head("GET", []))
