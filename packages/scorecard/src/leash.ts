/**
 * Loaded into every child before its own code (`--import`): when the process that started the child is gone, however it
 * went, the child goes too. A subject that refuses to stop is exactly what is tested here, so nothing gentler will do.
 */
import * as net from "node:net"
import { isMainThread } from "node:worker_threads"

/** The pipe that the parent holds the other end of. The kernel closes it with the parent. */
export const leashFd = 3

if (isMainThread) {
  new net.Socket({ fd: leashFd, readable: true, writable: false })
    .on("close", () => process.kill(process.pid, "SIGKILL"))
    .on("error", () => {})
    .resume()
    .unref()
}
