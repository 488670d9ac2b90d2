/**
 * A port that is free now, and is not one of those from which the system takes a client's own: between now and the moment
 * in which a server listens, any client of this machine could be given it (Linux: 32768 to 60999, macOS and Windows: from
 * 49152).
 */
import { createServer } from "node:net"

const least = 10_000
const most = 32_000
const triesMax = 50

/** Two that ask at the same time get two. */
const given = new Set<number>()

/** Listens there for a moment; 0 is any. */
const listened = (host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen({ host, port }, () => {
      const address = server.address()
      server.close(() => resolve(address !== null && typeof address === "object" ? address.port : 0))
    })
  })

export const freePort = async (host: string): Promise<number> => {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = least + Math.floor(Math.random() * (most - least))
    if (given.has(port)) continue
    given.add(port)
    try {
      return await listened(host, port)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error
    }
  }
  // What is in the way of all of them is told by whoever listens next.
  return listened(host, 0)
}
