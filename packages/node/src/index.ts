/**
 * Finwait on Node: the operating system's sockets, and a process that stops as it should.
 *
 * @since 0.1.0
 */
export * as NodeNetwork from "./NodeNetwork.ts"
export * as NodeProcess from "./NodeProcess.ts"
export * as NodeSocket from "./NodeSocket.ts"
export * as NodeSocketServer from "./NodeSocketServer.ts"
export * as NodeTls from "./NodeTls.ts"
export * as NodeWebSocket from "./NodeWebSocket.ts"
