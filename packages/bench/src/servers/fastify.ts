/** fastify, as it is when nobody says otherwise but for what its answers have to have in common with others. */
import { fastify } from "fastify"
import { setTimeout } from "node:timers/promises"
import { bodyOf, keepAliveMillis, workMillis } from "../http.ts"
import { backlog, command, onCommand, ready } from "./command.ts"

const body = bodyOf(command.service, command.size)
const closing = command.variant === "answering" ? { return503OnClosing: false } : {}
const plain = () => fastify({ keepAliveTimeout: keepAliveMillis, ...closing })
/** Of other types, with the same methods. */
const second = () => fastify({ http2: true, ...closing }) as unknown as ReturnType<typeof plain>
const app = command.transport === "h2" ? second() : plain()

if (command.service === "upload") {
  app.addContentTypeParser("application/octet-stream", { parseAs: "buffer" }, (_, body, done) => done(null, body))
  app.post("/", (_, reply) => reply.header("content-type", "text/plain").send(body))
} else if (command.service === "work") {
  app.get("/", async (_, reply) => {
    await setTimeout(workMillis)
    return reply.header("content-type", "text/plain").send(body)
  })
} else app.get("/", (_, reply) => reply.header("content-type", "text/plain").send(body))

await app.listen({ host: "127.0.0.1", port: 0, backlog })
const [address] = app.addresses()
ready(typeof address === "object" ? address.port : 0)
onCommand(() => void app.close())
