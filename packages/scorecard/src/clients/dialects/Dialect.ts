/** How the job server's requests and answers are spoken. */
import type { Dialect as AnyDialect, Transcript as AnyTranscript } from "@finwait/cli/clients/Dialect"
import type { Exchange } from "../../Protocol.ts"

export interface Transcript extends AnyTranscript<Exchange> {
  ask(exchange: Exchange): string
}

export interface Dialect extends AnyDialect<Exchange> {
  readonly name: "lines" | "calls" | "http"
  readonly transcript: () => Transcript
  /** Asks how many connections there are. */
  readonly stat: string
  /** What a line of the answer says of that, if it is the answer. */
  readonly openOf: (line: string) => number | undefined
}
