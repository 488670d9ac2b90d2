/**
 * Graceful networking for Effect: sockets are scoped resources, and their finalizers say goodbye properly.
 *
 * @since 0.1.0
 */
export * as Address from "./Address.ts"
export * as CloseOutcome from "./CloseOutcome.ts"
export * as ClosePolicy from "./ClosePolicy.ts"
export * as Connection from "./Connection.ts"
export * as ConnectionError from "./ConnectionError.ts"
export * as Drain from "./Drain.ts"
export * as Framing from "./Framing.ts"
export * as Health from "./Health.ts"
export * as Listener from "./Listener.ts"
export * as Metrics from "./Metrics.ts"
export * as Network from "./Network.ts"
export * as NetworkError from "./NetworkError.ts"
export * as RpcDrain from "./RpcDrain.ts"
export * as Server from "./Server.ts"
export * as Shutdown from "./Shutdown.ts"
export * as ShutdownBudget from "./ShutdownBudget.ts"
export * as SocketClient from "./SocketClient.ts"
export * as SocketServer from "./SocketServer.ts"
export * as Transport from "./Transport.ts"
