/**
 * Mistakes that somebody could make in the close and in the drain, one line each, as replacements in the sources. What
 * is replaced must be there exactly once: a test says so when the sources move on.
 */
export interface Bug {
  readonly name: string
  /** Below `packages/finwait/src`. */
  readonly file: string
  readonly from: string
  readonly to: string
}

export const bugs: ReadonlyArray<Bug> = [
  {
    name: "the linger is skipped",
    file: "internal/close.ts",
    from: `if (input.peerEnded) return this.end(this.account("Graceful"))`,
    to: `if (input !== undefined) return this.end(this.account("Graceful"))`
  },
  {
    name: "FIN is sent before everything is flushed",
    file: "internal/output.ts",
    from: "if (this.queueBytes === 0) this.transport.closeWrite(this.goodbye, isLast)",
    to: "this.transport.closeWrite(this.goodbye, isLast)"
  },
  {
    name: "the deadline is not armed",
    file: "internal/close.ts",
    from: "this.deadline = environment.alarms.set(environment.deadlineMillis, this, this.began)",
    to: ""
  },
  {
    name: "a timer is left behind",
    file: "internal/close.ts",
    from: "this.deadline?.clear()",
    to: ""
  },
  {
    name: "an outcome is counted twice",
    file: "internal/drain.ts",
    from: "this.outcomes[tag]++",
    to: "this.outcomes[tag] += 2"
  },
  {
    name: "the drain forgets the backlog",
    file: "internal/drain.ts",
    from: "return Effect.map(this.ended(listener.stop, this.before(deadline)), (exit) => exit ?? listener.abort())",
    to: "return Effect.sync(() => (this.before(deadline), listener.abort()))"
  },
  {
    name: "the farewell is said after the FIN",
    file: "internal/close.ts",
    from: `return farewell !== undefined && connection.output.state === "open" ? this.sayFarewell(farewell) : this.flush()`,
    to: "return farewell !== undefined ? this.sayFarewell(farewell) : this.flush()"
  },
  {
    name: "a farewell is said again although it went well",
    file: "internal/close.ts",
    from: "const words = Effect.suspend(() => farewell(connection)).pipe(",
    to: "const words = Effect.suspend(() => Effect.andThen(farewell(connection), farewell(connection))).pipe("
  },
  {
    name: "a farewell has no limit",
    file: "internal/close.ts",
    from: "this.arm(farewellMillis)",
    to: "this.arm(farewellMillis + 3_600_000)"
  },
  {
    name: "a second close closes again",
    file: "internal/connection.ts",
    from: "if (this.closing !== undefined) return",
    to: ""
  },
  {
    name: "an abort is a goodbye",
    file: "internal/close.ts",
    from: `this.act("reset")`,
    to: ""
  },
  {
    name: "a reset is taken for a goodbye",
    file: "internal/connection.ts",
    from: "this.brokenCode = code",
    to: "this.input.peerEnded = true"
  },
  {
    name: "a linger that expired is called graceful",
    file: "internal/close.ts",
    from: `this.end({ ...this.account("LingerExpired"), limit })`,
    to: `this.end(this.account("Graceful")), limit`
  },
  {
    name: "progress does not prolong the linger",
    file: "internal/close.ts",
    from: "this.progressAt = environment.now()\n    if",
    to: "if"
  },
  {
    name: "the silence of a linger has no limit",
    file: "internal/close.ts",
    from: "const idleUntil = this.progressAt + environment.lingerIdleMillis",
    to: "const idleUntil = this.progressAt + environment.lingerIdleMillis + Infinity"
  },
  {
    name: "a drain does not read what had arrived",
    file: "internal/input.ts",
    from: "this.transport.catchUp(() => {\n      if (part === sweep.part) this.finishSweep()\n    })",
    to: "if (part === sweep.part) this.finishSweep()"
  },
  {
    name: "who comes from the backlog is not told of the drain",
    file: "internal/server.ts",
    from: "if (this.drain.announced) connection.announce()",
    to: ""
  },
  {
    name: "a cut does not wake the drain",
    file: "internal/drain.ts",
    from: "this.isCut = true\n    this.wake?.()",
    to: "this.isCut = true"
  },
  {
    name: "a drain forgets one that it has counted",
    file: "internal/server.ts",
    from: "if (!this.served.delete(served)) return",
    to: "if (served.place < 0) return"
  },
  {
    name: "writes overtake each other",
    file: "internal/output.ts",
    from: "(this.queue ??= []).push(bytes)",
    to: "(this.queue ??= []).unshift(bytes)"
  },
  {
    name: "who waits for room is forgotten at the FIN",
    file: "internal/output.ts",
    from: `this.state = "flushed"\n    // Somebody`,
    to: `this.state = "flushed"\n    if (this.state === "flushed") return\n    // Somebody`
  },
  {
    name: "the close does not read while it flushes",
    file: "internal/close.ts",
    from: "connection.input.discardAll(this)\n    this.again = true\n  }\n\n  /** Reads and throws away until the peer's FIN, within the three limits. */\n  private linger(): void {",
    to: "this.again = true\n  }\n\n  private linger(): void {\n    this.connection.input.discardAll(this)"
  },
  {
    name: "an interrupted handler's connection is not closed",
    file: "internal/server.ts",
    from: 'if (exit._tag === "Failure") this.handlerFailed(connection, exit)\n    connection.beginClose()',
    to: 'if (exit._tag === "Failure") return this.handlerFailed(connection, exit)\n    connection.beginClose()'
  },
  {
    name: "a deadline is twice as long as it says",
    file: "internal/close.ts",
    from: "environment.deadlineMillis, this, this.began)",
    to: "2 * environment.deadlineMillis, this, this.began)"
  },
  {
    name: "a close that was too long says that it was not",
    file: "internal/close.ts",
    from: "return Math.round(this.connection.environment.now() - this.began)",
    to: "return Math.min(1, Math.round(this.connection.environment.now() - this.began))"
  },
  {
    name: "a drain that was too long says that it was not",
    file: "internal/drain.ts",
    from: "const durationMillis = Math.round(this.now() - this.began!)",
    to: "const durationMillis = Math.min(1, Math.round(this.now() - this.began!))"
  }
]
