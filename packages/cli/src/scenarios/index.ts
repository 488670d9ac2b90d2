/** The rows of the scorecard, in its order. */
import type { Scenario } from "../check/Scenario.ts"
import { S1 } from "./S1.ts"
import { S10 } from "./S10.ts"
import { S11 } from "./S11.ts"
import { S2a } from "./S2a.ts"
import { S2b } from "./S2b.ts"
import { S2c } from "./S2c.ts"
import { S2d } from "./S2d.ts"
import { S2e } from "./S2e.ts"
import { S3 } from "./S3.ts"
import { S3b } from "./S3b.ts"
import { S4 } from "./S4.ts"
import { S4late } from "./S4late.ts"
import { S5 } from "./S5.ts"
import { S6 } from "./S6.ts"
import { S7 } from "./S7.ts"
import { S7b } from "./S7b.ts"
import { S8 } from "./S8.ts"
import { S9 } from "./S9.ts"
import { S9forced } from "./S9forced.ts"

export const scenarios: ReadonlyArray<Scenario> = [
  S1,
  S2a,
  S2b,
  S2c,
  S2d,
  S2e,
  S3,
  S3b,
  S4,
  S4late,
  S5,
  S6,
  S7,
  S7b,
  S8,
  S9,
  S9forced,
  S10,
  S11
]

/** Those that are asked for, in the order of the scorecard. */
export const chosen = (only: ReadonlyArray<string>, skip: ReadonlyArray<string>): ReadonlyArray<Scenario> =>
  scenarios.filter(({ id }) => (only.length === 0 || only.includes(id)) && !skip.includes(id))
