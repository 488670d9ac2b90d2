/** The job server on fastify, stopped by close-with-grace. */
import closeWithGrace from "close-with-grace"
import { fastify } from "fastify"
import { listen } from "../jobs/listen.ts"
import { announce, answerTo, drainMillis } from "../jobs/nodeHttp.ts"
import { countedBy } from "../jobs/opened.ts"

const app = fastify()
countedBy(app.server)

// Bodies are not read.
app.addContentTypeParser("*", (_request, _payload, done) => done(null))

app.all("/*", async (request, reply) => {
  const answer = await answerTo(request.url)
  if (answer === undefined) return reply.code(404).send()
  if (answer.isLast === true) reply.header("connection", "close")
  return reply.send(answer.body)
})

closeWithGrace({ delay: drainMillis }, () => app.close())
await app.listen(listen)
announce(app.server)
