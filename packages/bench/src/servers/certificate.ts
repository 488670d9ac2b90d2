/** A certificate of the moment, that nobody trusts: the load generator asks for none that it could. */
import { generateKeyPairSync, sign } from "node:crypto"

/** DER (X.690): a tag, a length, and what is in it. */
const der = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const body = Buffer.concat(parts)
  const head = body.length < 128 ? [tag, body.length] : [tag, 0x82, body.length >> 8, body.length & 255]
  return Buffer.concat([Buffer.from(head), body])
}
const bytes = (hex: string): Buffer => Buffer.from(hex, "hex")
const sequence = (...parts: ReadonlyArray<Uint8Array>): Buffer => der(0x30, ...parts)
const objectId = (hex: string): Buffer => der(0x06, bytes(hex))
const utcTime = (text: string): Buffer => der(0x17, Buffer.from(text))
const bitString = (content: Uint8Array): Buffer => der(0x03, bytes("00"), content)

const ecdsaWithSha256 = sequence(objectId("2a8648ce3d040302"))
const commonName = objectId("550403")

/** Self-signed, with a key on P-256, as most servers have one. */
export const certificate = () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const name = sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from("localhost")))))
  const validity = sequence(utcTime("200101000000Z"), utcTime("491231235959Z"))
  const serial = der(0x02, bytes("01"))
  const key = publicKey.export({ type: "spki", format: "der" })
  const signed = sequence(serial, ecdsaWithSha256, name, validity, name, key)
  const whole = sequence(signed, ecdsaWithSha256, bitString(sign("sha256", signed, privateKey)))
  const pem = whole.toString("base64").replaceAll(/.{1,64}/g, "$&\n")
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${pem}-----END CERTIFICATE-----\n`,
    minVersion: "TLSv1.3" as const
  }
}
