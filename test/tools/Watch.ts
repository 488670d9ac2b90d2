/** Waiting for a condition on something that tells when it has changed. */
import { within } from "../../packages/cli/src/Waiting.ts"

export class Watch {
  private readonly waiting = new Set<() => void>()

  changed(): void {
    for (const look of this.waiting) look()
  }

  /** Waits until the condition holds; fails with what did not come about in time. */
  async until(condition: () => boolean, millis: number, what: () => string): Promise<void> {
    let look = () => {}
    const holds = new Promise<void>((resolve) => {
      look = () => condition() && resolve()
    })
    this.waiting.add(look)
    look()
    try {
      await within(millis, holds, "")
    } catch {
      throw new Error(`not within ${millis} ms: ${what()}`)
    } finally {
      this.waiting.delete(look)
    }
  }
}
