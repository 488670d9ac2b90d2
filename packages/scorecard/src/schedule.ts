/** Plays several scenarios, a few at a time; those that keep the machine busy play alone. */
import type { Result, RunOptions, Scenario, Verdict } from "./Scenario.ts"

export interface Outcome {
  readonly scenario: Scenario
  readonly result: Result
  readonly verdict: Verdict
}

const atATime = 3

/** Lets in so many at a time, in the order in which they came. */
export class Gate {
  private free: number
  private readonly waiting: Array<{ readonly places: number; readonly enter: () => void }> = []
  readonly places: number

  constructor(places = atATime) {
    this.places = places
    this.free = places
  }

  /** Plays a scenario when there is room for it. */
  async play(scenario: Scenario, subject: string, options?: RunOptions): Promise<Outcome> {
    const places = scenario.runs === "alone" ? this.places : 1
    await this.enter(places)
    try {
      const result = await scenario.run(subject, options)
      return { scenario, result, verdict: scenario.judge(result) }
    } finally {
      this.free += places
      this.admit()
    }
  }

  private enter(places: number): Promise<void> {
    return new Promise((enter) => {
      this.waiting.push({ places, enter })
      this.admit()
    })
  }

  // Strictly in order, or else one that needs all places would wait for ever.
  private admit(): void {
    let next = this.waiting[0]
    while (next !== undefined && next.places <= this.free) {
      this.waiting.shift()
      this.free -= next.places
      next.enter()
      next = this.waiting[0]
    }
  }
}
