/**
 * The handler of a connection whose transport speaks by itself, as one that is lent to an HTTP library: over when the
 * transport says so, and at a drain's deadline in a hurry.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Connection } from "../Connection.ts"
import type { ConversationListener } from "../Transport.ts"
import type { ConnectionImpl } from "./connection.ts"
import { type Begun, type Ending, Unfibered } from "./unfibered.ts"

class Talk implements Begun, ConversationListener {
  private isOver = false
  private resume: (() => void) | undefined
  private readonly connection: ConnectionImpl
  private readonly ending: Ending<never>

  constructor(connection: ConnectionImpl, ending: Ending<never>) {
    this.connection = connection
    this.ending = ending
    connection.transport.converse!(this)
  }

  onOver(isCut: boolean): void {
    this.isOver = true
    if (isCut) this.connection.cut("abort")
    this.ending.ended(Exit.void)
    this.resume?.()
  }

  interruptUnsafe(): void {
    if (!this.isOver) this.connection.transport.hurry!()
  }

  asEffect(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.isOver) return resume(Exit.void)
      this.resume = () => resume(Exit.void)
      this.interruptUnsafe()
    })
  }
}

export class Conversation extends Unfibered<never> {
  private readonly connection: ConnectionImpl

  constructor(connection: Connection) {
    super()
    this.connection = connection as ConnectionImpl
  }

  begin(_context: Context.Context<never>, ending: Ending<never>): Begun {
    return new Talk(this.connection, ending)
  }
}
