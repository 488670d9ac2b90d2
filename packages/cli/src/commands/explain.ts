/** `finwait explain`: what scenarios mean in production, what good looks like, and how to mend what is not. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { paragraphs } from "../scenarios/explained.ts"
import { chosen } from "../scenarios/index.ts"
import { idsOf } from "./arguments.ts"
import { promised } from "./exits.ts"

export const explainCommand = Command.make(
  "explain",
  { scenarios: Argument.String("scenario").pipe(Argument.variadic()) },
  Effect.fnUntraced(function* ({ scenarios }) {
    const ids = yield* promised(async () =>
      idsOf(
        "explain",
        scenarios.flatMap((word) => word.split(","))
      )
    )
    process.stdout.write(`${chosen(ids, []).map(paragraphs).join("\n\n")}\n`)
  })
).pipe(
  Command.withDescription("Says what scenarios mean, what good looks like, and how to mend what is not: all, or some"),
  Command.withExamples([{ command: "finwait explain S3 S4", description: "Two of them" }])
)
