/**
 * Addresses as Node tells them.
 */
import * as Address from "finwait/Address"
import type * as Net from "node:net"

export const boundAddress = (server: Net.Server, asked: Address.Address): Address.Address => {
  const bound = server.address()
  return bound === null || typeof bound === "string" ? asked : Address.tcp(bound.address, bound.port)
}

/**
 * Where Node's options say to listen: a port goes before a path, and a host that is left out is all of the machine's
 * addresses.
 */
export const askedAddress = ({ host, path, port }: Net.ListenOptions): Address.Address =>
  path === undefined || port !== undefined ? Address.tcp(host ?? "::", port ?? 0) : Address.unix(path)

/** The other side of an accepted socket. A client of a Unix socket has no name. */
export const remoteOf = (socket: Net.Socket, local: Address.Address): Address.Address =>
  local._tag === "Unix" ? Address.unix("") : Address.tcp(socket.remoteAddress ?? "unknown", socket.remotePort ?? 0)

/** This side of a dialled socket. */
export const localOf = (socket: Net.Socket, remote: Address.Address): Address.Address =>
  remote._tag === "Unix" ? Address.unix("") : Address.tcp(socket.localAddress ?? "unknown", socket.localPort ?? 0)
