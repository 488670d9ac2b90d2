/** The certificates of the tests; `certificates/make.sh` made them. */
import type * as NodeTls from "@finwait/node/NodeTls"
import * as Redacted from "effect/Redacted"
import { readFileSync } from "node:fs"
import { join } from "node:path"

export const folder = join(import.meta.dirname, "../fixtures/certificates")

const read = (file: string) => readFileSync(join(folder, file), "utf8")

export const ca = read("ca.crt")

export const identity = (name: "server" | "other" | "client"): NodeTls.Identity => ({
  key: Redacted.make(read(`${name}.key`)),
  cert: read(`${name}.crt`)
})
