/**
 * Connections that are not asked for their peer's name when they are accepted, as a name that is looked up late would be
 * (and after a reset would be missing): `bench --only churn --flags="--require ./packages/bench/tried/no-peer-name.cjs"`.
 */
const { Socket } = process.getBuiltinModule("node:net")
const name = { address: "127.0.0.1", family: "IPv4", port: 1 }
if (Socket.prototype._getpeername === undefined) throw new Error("Socket has no _getpeername: nothing would be tried")
Socket.prototype._getpeername = () => name
