/** One row of the scorecard: what is done to a server, and what a good one does. */
import type { Profile } from "../profiles/Profile.ts"
import type { Finding } from "../report/Report.ts"
import type { Bounds } from "./Bounds.ts"
import type { Played, Setting, Stage } from "./Stage.ts"

export interface Scenario {
  readonly id: string
  /** One line, for the table. */
  readonly title: string
  /** What it means in production. */
  readonly meaning: string
  /** What a good server does. */
  readonly good: string
  /** What to do about one that does not. */
  readonly fix: string
  readonly measure: string
  readonly unit: "s" | ""
  /** Up to where it is a pass, in words. */
  readonly bound: (setting: Setting) => string
  /** Why it has no meaning for a profile, where it has none. */
  readonly doesNotApply?: (profile: Profile) => string | undefined
  readonly play: (stage: Stage) => Promise<void>
  /** What is measured, where that is neither the time to exit nor set while it is played. */
  readonly measured?: (played: Played) => number | null
  readonly judge: (played: Played, setting: Setting) => ReadonlyArray<Finding>
}

/** For scenarios that are over as soon as the server has nothing to wait for. */
export const seconds = (millis: number): string => `${(millis / 1000).toFixed(millis < 10_000 ? 1 : 0)} s`

export const promptly = ({ bounds }: { readonly bounds: Bounds }): string => seconds(bounds.promptMillis)
export const inTime = ({ bounds }: { readonly bounds: Bounds }): string => seconds(bounds.deadlineMillis)
