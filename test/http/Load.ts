/** The client in a closed loop, seen from the test. */
import type { Child } from "../kernel/Child.ts"
import { boundMillis, childOf } from "./Drained.ts"
import type { Books, Load as Options } from "./wrk.ts"

export class Load {
  private readonly child: Child

  private constructor() {
    this.child = childOf("wrk.ts")
  }

  static async start(options: Options): Promise<Load> {
    const load = new Load()
    await load.child.ask("start", options, boundMillis)
    return load
  }

  /** So many more have been answered whole. */
  answered(more: number): Promise<void> {
    return this.child.ask("answered", more, boundMillis)
  }

  books(): Promise<Books> {
    return this.child.ask("counts", null, boundMillis)
  }

  /** Asks no more, and is gone. */
  async stop(): Promise<Books> {
    const books = await this.child.ask<Books>("stop", null, boundMillis)
    this.kill()
    return books
  }

  kill(): void {
    this.child.kill()
  }
}
