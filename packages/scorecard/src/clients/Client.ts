/** A client of the job server. */
import { Client as AnyClient, type ClientOptions as AnyOptions } from "@finwait/cli/clients/Client"
import type { Exchange } from "../Protocol.ts"
import { type Wire, type WireOptions, wires } from "./wires.ts"

export interface ClientOptions extends AnyOptions, WireOptions {
  /** Default: lines over TCP. */
  readonly wire?: Wire
}

export class Client extends AnyClient<Exchange, WireOptions> {
  constructor(port: number, options: ClientOptions) {
    super(port, options.wire ?? wires["socket-tcp"], options, options)
  }
}
