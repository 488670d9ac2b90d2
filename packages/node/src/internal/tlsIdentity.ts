/**
 * Whether a server of TLS can shake hands at all. Node listens without a certificate, and with one that belongs to another
 * key, and every client is turned away then; what OpenSSL says of a file that is none does not say which one it was.
 */
import { createPrivateKey, X509Certificate } from "node:crypto"
import type * as Tls from "node:tls"

const isOne = (part: unknown): part is string | Buffer => typeof part === "string" || Buffer.isBuffer(part)

/** Says which part a complaint is about. */
const about = <A>(part: "key" | "cert", read: () => A): A => {
  try {
    return read()
  } catch (error) {
    ;(error as Error).message = `the ${part} cannot be used: ${(error as Error).message}`
    throw error
  }
}

/** Throws what is wrong with it. Several keys or certificates are for OpenSSL to match. */
export const checkIdentity = (options: Tls.TlsOptions): void => {
  const { cert, key, passphrase, pfx, pskCallback, secureContext, SNICallback } = options
  if (cert === undefined && [pfx, pskCallback, secureContext, SNICallback].every((other) => other === undefined)) {
    throw new Error("a TLS server needs a certificate: key and cert, or pfx, or SNICallback")
  }
  if (!isOne(key) || !isOne(cert)) return
  const own = about("key", () => createPrivateKey(passphrase === undefined ? key : { key, passphrase }))
  const certificate = about("cert", () => new X509Certificate(cert))
  if (!certificate.checkPrivateKey(own)) throw new Error("the certificate is not of this key")
}
