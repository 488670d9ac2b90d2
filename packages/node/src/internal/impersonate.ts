/**
 * A server that does not listen itself, to who asks it: where it listens, whether it does, and how many it has.
 */
import type * as Net from "node:net"
import type { HttpServer } from "./httpAcceptor.ts"

/** What Node keeps of the options that are about the sockets that a server accepts. */
export interface Impersonated extends Net.Server {
  readonly highWaterMark?: number
  readonly keepAlive?: boolean
  readonly keepAliveInitialDelay?: number
}

/**
 * `listener` accepts for `server`, and `close` is what its close is. Node begins to look after the timeouts of HTTP when a
 * server says that it listens.
 */
export const impersonate = (server: HttpServer, listener: Net.Server, close: (closed: () => void) => void): void => {
  Object.defineProperties(server, {
    address: { configurable: true, writable: true, value: () => listener.address() },
    listening: { configurable: true, get: () => listener.listening },
    close: {
      configurable: true,
      writable: true,
      value: (callback?: () => void) => {
        close(() => callback?.())
        return server
      }
    },
    getConnections: {
      configurable: true,
      writable: true,
      value: (callback: (error: Error | null, count: number) => void) => listener.getConnections(callback)
    }
  })
  server.emit("listening")
}
