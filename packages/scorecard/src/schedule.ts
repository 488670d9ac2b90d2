/** Plays several scenarios, a few at a time; those that keep the machine busy play alone. */
import type { Result, RunOptions, Scenario, Verdict } from "./Scenario.ts"
import { wireOf } from "./subjects.ts"

export interface Outcome {
  readonly scenario: Scenario
  /** Why it was not played, if it was not. */
  readonly doesNotApply: string | undefined
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

  /** Plays a scenario when there is room for it, if it has a meaning for this subject. */
  async play(scenario: Scenario, subject: string, options?: RunOptions): Promise<Outcome> {
    const doesNotApply = scenario.doesNotApply?.(wireOf(subject))
    if (doesNotApply !== undefined) return notPlayed(scenario, subject, doesNotApply)
    const places = scenario.runs === "alone" ? this.places : 1
    await this.enter(places)
    try {
      const result = await scenario.run(subject, options)
      return { scenario, doesNotApply, result, verdict: scenario.judge(result) }
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

const notPlayed = (scenario: Scenario, subject: string, doesNotApply: string): Outcome => ({
  scenario,
  doesNotApply,
  result: {
    scenario: scenario.id,
    subject,
    clients: [],
    exitCode: null,
    signal: null,
    secondsToExit: null,
    killed: false,
    measuredSeconds: null,
    facts: {},
    notes: [`does not apply: ${doesNotApply}`],
    drained: undefined,
    stderr: ""
  },
  verdict: { ok: true, problems: [] }
})
