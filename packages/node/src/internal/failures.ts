/**
 * Node's errors as a network's.
 */
import * as Address from "finwait/Address"
import { NetworkError, type Reason, reasonFromCode } from "finwait/NetworkError"

export const failure = (operation: "connect" | "listen", address: Address.Address) => (reason: Reason) =>
  new NetworkError({ operation, address: Address.describe(address), reason })

/** Node wraps the errors of several attempts in one that has their code but none of their text. */
export const reasonOf = (error: NodeJS.ErrnoException): Reason => reasonFromCode(error.code ?? "UNKNOWN", error.message)
