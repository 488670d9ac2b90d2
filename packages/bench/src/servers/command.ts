/**
 * What every server program of the benchmark understands: where to listen, which variant, which service, of how many
 * bytes; and on standard input the line `close`, or its end.
 */
import { createInterface } from "node:readline"
import type { Service, Transport } from "../rows.ts"

const [listen = "tcp", variant = "", service = "echo", size = "64"] = process.argv.slice(2)

const isPath = listen.includes("/")

export const command = {
  transport: isPath ? "unix" : (listen as Transport),
  path: isPath ? listen : undefined,
  variant,
  service: service as Service,
  size: Number(size)
}

export const backlog = 4096
/** What a `source` writes at a time. */
export const block = new Uint8Array(65536).fill(97)

export const ready = (port: number): void => void process.stdout.write(`${JSON.stringify({ port })}\n`)

export const onCommand = (close: () => void): void => {
  createInterface(process.stdin)
    .on("line", () => close())
    .on("close", () => process.exit(0))
}
