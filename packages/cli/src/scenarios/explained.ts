/** What the scorecard means, as a page and for a terminal: from the scenarios themselves, so that there is one text. */
import type { Scenario } from "../check/Scenario.ts"
import { wrap } from "../report/text.ts"

const intro = `# What the scorecard means

The rows of [\`finwait check\`](check.md): what is done to a server, what that stands for in production, what good looks like,
and how to mend what is not. This page is written by \`node packages/cli/src/docs.ts\` from the scenarios themselves.
`

const pageColumns = 120
const terminalColumns = 96

export const page = (scenarios: ReadonlyArray<Scenario>): string => [intro, ...scenarios.map(section)].join("\n")

const section = ({ fix, good, id, meaning, measure, title }: Scenario): string =>
  [
    `## ${id}: ${title}`,
    "",
    ...wrap(meaning, pageColumns),
    "",
    ...wrap(`**Good:** ${good}`, pageColumns),
    "",
    ...wrap(`**How:** ${fix}`, pageColumns),
    "",
    ...wrap(`Measured: ${measure}.`, pageColumns),
    ""
  ].join("\n")

/** For a terminal. */
export const paragraphs = ({ fix, good, id, meaning, title }: Scenario): string =>
  [
    `${id}: ${title}`,
    ...[meaning, `Good: ${good}`, `How: ${fix}`].map((text) =>
      wrap(text, terminalColumns)
        .map((line) => `  ${line}`)
        .join("\n")
    )
  ].join("\n\n")
