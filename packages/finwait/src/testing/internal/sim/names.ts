/**
 * Which address means which host, and who comes to whom.
 */
import * as Address from "../../../Address.ts"

const everyHost = "*"

/** One spelling for all that mean the same host. */
const hostOf = (host: string): string => {
  const written = host.includes(":") && URL.canParse(`tcp://[${host}]`) ? new URL(`tcp://[${host}]`).hostname : host
  const name = written.toLowerCase()
  if (["127.0.0.1", "[::1]", "[::ffff:7f00:1]"].includes(name)) return "localhost"
  return name === "0.0.0.0" || name === "[::]" ? everyHost : name
}

/** Whether a connection to one address comes to a listener on the other. Who dials a wildcard means this machine. */
export const reaches = (dialled: Address.Address, listening: Address.Address): boolean => {
  if (dialled._tag === "Unix" || listening._tag === "Unix") return Address.format(dialled) === Address.format(listening)
  const [to, at] = [hostOf(dialled.host), hostOf(listening.host)]
  return dialled.port === listening.port && (at === everyHost || at === (to === everyHost ? "localhost" : to))
}

/** Whether two listeners would take each other's connections. */
export const collide = (one: Address.Address, other: Address.Address): boolean =>
  reaches(one, other) || reaches(other, one)

/** Ports that are given to who names none: those that the IANA leaves for it. */
const firstPort = 49152
const lastPort = 65535

/** Gives ports that nobody listens on, in turn. */
export class Ports {
  private next = firstPort

  free(taken: (port: number) => boolean): number {
    const port = this.next
    this.next = port === lastPort ? firstPort : port + 1
    return taken(port) ? this.free(taken) : port
  }
}
