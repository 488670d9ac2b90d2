/** What the scorecard means, as a page: from the scenarios themselves, so that there is one text. */
import type { Scenario } from "../check/Scenario.ts"

const intro = `# What the scorecard means

The rows of [\`finwait check\`](check.md): what is done to a server, what that stands for in production, what good looks like,
and how to mend what is not. This page is written by \`node packages/cli/src/docs.ts\` from the scenarios themselves.
`

export const explain = (scenarios: ReadonlyArray<Scenario>): string => [intro, ...scenarios.map(section)].join("\n")

const section = ({ fix, good, id, meaning, measure, title }: Scenario): string =>
  [
    `## ${id}: ${title}`,
    "",
    ...wrapped(meaning),
    "",
    ...wrapped(`**Good:** ${good}`),
    "",
    ...wrapped(`**How:** ${fix}`),
    "",
    ...wrapped(`Measured: ${measure}.`),
    ""
  ].join("\n")

const width = 120

const wrapped = (text: string): ReadonlyArray<string> => {
  const lines: Array<string> = [""]
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!
    if (line.length + word.length + 1 > width) lines.push(word)
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`
  }
  return lines
}
