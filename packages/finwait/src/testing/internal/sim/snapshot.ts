/**
 * What can be seen of a simulated socket from outside.
 */
import * as Address from "../../../Address.ts"
import type { ListenerState, SocketState, TcpState } from "../../Netstat.ts"
import type { SimAcceptor } from "./acceptor.ts"
import type { Endpoint } from "./endpoint.ts"

export const listenerState = (acceptor: SimAcceptor): ListenerState => ({
  address: Address.describe(acceptor.address),
  backlog: acceptor.backlog,
  backlogMax: acceptor.backlogMax,
  accepted: acceptor.accepted
})

export const socketState = (end: Endpoint): SocketState => ({
  connection: end.connection,
  side: end.side,
  local: Address.describe(end.localAddress),
  remote: Address.describe(end.remoteAddress),
  state: stateOf(end),
  held: end.state === "open",
  stage: end.stage,
  sendQueueBytes: end.sendQueueBytes + end.peer.travellingBytes,
  receiveQueueBytes: end.receiveQueueBytes,
  arrivedBytes: end.arrivedBytes,
  waits: waitsOf(end)
})

const stateOf = (end: Endpoint): TcpState => {
  if (end.state === "gone") return "CLOSED"
  if (!end.finSaid) return end.finReceived ? "CLOSE-WAIT" : "ESTABLISHED"
  if (!end.finReceived) return end.finArrived ? "FIN-WAIT-2" : "FIN-WAIT-1"
  if (end.finFirst) return end.finArrived ? "TIME-WAIT" : "CLOSING"
  return end.finArrived ? "CLOSED" : "LAST-ACK"
}

const waitsOf = (end: Endpoint): ReadonlyArray<string> => {
  const waits: Array<string> = []
  const { connection, peer } = end
  const other = `#${connection} ${peer.side}`
  if (end.finAsked ? end.unsentBytes > 0 : end.full) {
    waits.push(`${end.finAsked ? "a flush" : "a write"} for ${other} to read`)
  }
  if (end.wire.isHeldUp) waits.push("the link to return")
  if (end.state === "open" && end.stage === "Lingering" && !end.finReceived) waits.push(`the close for ${other}'s FIN`)
  else if (end.state === "open" && end.flowing && end.receiveQueueBytes === 0 && !end.finReceived) {
    waits.push(`a read for ${other} to write`)
  }
  if (end.receiveQueueBytes > 0) waits.push(`${end.receiveQueueBytes} bytes to be read`)
  return waits
}
