/** Where a subject listens, and as whom: the options of Node's servers. */
import { certificate, key } from "../fixtures/localhost.ts"

export const listen = { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 0) }

export const listenTls = () => ({ ...listen, cert: certificate(), key: key() })
