/** The generated parts of docs/performance.md and docs/performance-http.md, and their charts: a run writes what it has. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { bars, growth } from "./chart.ts"
import { type Goal, isHttp, peers, reached, timesAsGood } from "./goals.ts"
import type { Profile } from "./profile.ts"
import { baseOf, busyShare, noiseOf, ratioOf, resultOf, type Run } from "./report.ts"
import type { Result, RowResult } from "./rounds.ts"
import { type Group, lessIsBetter, rowOf, rows } from "./rows.ts"
import { spread } from "./statistics.ts"
import { subjects } from "./subjects.ts"
import { figure, head, profilesText, subjectTitle } from "./text.ts"

const docs = join(import.meta.dirname, "../../../docs")
const begin = "<!-- begin: written by `npx -y pnpm@12 bench --docs` -->"
const end = "<!-- end -->"

const groups: ReadonlyArray<Group> = [...new Set(rows.map(({ group }) => group))]
const fileOf = (name: string): string => `${name.toLowerCase().replaceAll(/[ /]/g, "-")}.svg`

const cell = (result: RowResult, subject: string): string => {
  const ratio = ratioOf(result, subject)
  if (ratio === undefined) return ""
  const one = result.results.find((one) => one.subject === subject)!
  const mark = one.ownCpu > busyShare ? "\\*" : ""
  return `${ratio.median.toFixed(2)}${mark} <sub>${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}${left(one)}</sub>`
}

/** To be quick is not much where somebody was left without an answer, or waiting. */
const left = ({ open, unanswered }: Pick<Result, "open" | "unanswered">): string => {
  const counts = [...(unanswered > 0 ? [`${unanswered} lost`] : []), ...(open > 0 ? [`${open} left open`] : [])]
  return counts.map((count) => `, **${count}**`).join("")
}

const markdown = (lines: ReadonlyArray<ReadonlyArray<string>>): string =>
  [lines[0]!, lines[0]!.map(() => "---"), ...lines.slice(1)].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

/** The subjects of a table, and of its columns after the first; the rows of one have the same reference. */
const columnsOf = (results: ReadonlyArray<RowResult>) => {
  const base = baseOf(results[0]!)
  return {
    base,
    columns: subjects.filter(({ id }) => id !== base && results.some((row) => ratioOf(row, id) !== undefined))
  }
}

const table = (results: ReadonlyArray<RowResult>): string => {
  const { base, columns } = columnsOf(results)
  const heads = ["work", subjectTitle(base), ...columns.map(({ title }) => title)]
  const lines = results.map((result) => {
    const row = rowOf(result.row)
    const arrow = lessIsBetter(row) ? " (less is better)" : ""
    const bare = resultOf(result, base)!
    return [
      `${row.title}${arrow}`,
      `${figure(row, spread(bare.values).median)}${left(bare)}`,
      ...columns.map(({ id }) => cell(result, id))
    ]
  })
  return markdown([heads, ...lines])
}

/** What has to be known of the rows, and what their servers' processor took where it says more than the rate. */
const noted = (results: ReadonlyArray<RowResult>): ReadonlyArray<string> => {
  const notes = new Set(results.flatMap(({ row }) => rowOf(row).note ?? []))
  if (notes.size === 0) return []
  const { base, columns } = columnsOf(results)
  const ids = [base, ...columns.map(({ id }) => id)]
  const heads = ["the server's processor, for an operation or a close", ...ids.map(subjectTitle)]
  const micros = (result: RowResult, id: string): string => {
    const micros = resultOf(result, id)?.cpuMicros
    return micros === undefined ? "" : `${micros.toFixed(1)} µs`
  }
  const lines = results
    .filter(({ results }) => results.some(({ cpuMicros }) => cpuMicros > 0))
    .map((result) => [rowOf(result.row).title].concat(ids.map((id) => micros(result, id))))
  const said = [...notes].map((note) => `${note[0]!.toUpperCase()}${note.slice(1)}.`)
  return lines.length === 0 ? said : [...said, markdown([heads, ...lines])]
}

const signs = { goal: "● goal", floor: "○ floor", neither: "✗ neither" }

const isLess = ({ than }: Goal, row: string): boolean => than === undefined && lessIsBetter(rowOf(row))

/** What is aimed at, and what the run has reached. */
const aims = (run: Run): string =>
  markdown([
    ["aim", "work", "who", "floor", "goal", "ratio", "reached"],
    ...reached(run).map(({ goal, has, row, subject, value }, index, all) => [
      goal === all[index - 1]?.goal ? "" : `${goal.work}${isLess(goal, row) ? " (less is better)" : ""}`,
      rowOf(row).title,
      subjectTitle(subject),
      String(goal.floor),
      String(goal.goal),
      value.toFixed(2),
      signs[has]
    ])
  ])

/** How many times as good Finwait is as Effect's server, for programs that are written alike. */
const besideEffect = (run: Run): string => {
  const pairs = peers.filter((pair) => run.rows.some((result) => timesAsGood(result, ...pair) !== undefined))
  const heads = pairs.map(([finwait, effect]) => `${subjectTitle(finwait)} / ${subjectTitle(effect)}`)
  const lines = run.rows
    .map((result) => [rowOf(result.row).title, ...pairs.map((pair) => timesAsGood(result, ...pair)?.toFixed(2) ?? "")])
    .filter(([, ...cells]) => cells.some((cell) => cell !== ""))
  return markdown([["work", ...heads], ...lines])
}

/** Where the time goes in the rows that were looked at. */
const standing = (profiles: ReadonlyArray<Profile>): ReadonlyArray<string> => {
  const looked = [...new Set(profiles.map(({ row }) => row))]
  const texts = looked.map((id) =>
    profilesText(
      rowOf(id),
      profiles.filter(({ row }) => row === id)
    )
  )
  return texts.length === 0 ? [] : ["### Where the time goes", ...texts.map((text) => `\`\`\`text\n${text}\n\`\`\``)]
}

/** What the command writes, for a run. */
export const generated = (run: Run): string => {
  const parts = groups.flatMap((group) => {
    const results = run.rows.filter(({ row }) => rowOf(row).group === group)
    if (results.length === 0) return []
    if (group === "simulation") {
      const { low, median, high } = spread(results[0]!.results[0]!.values)
      const grouped = (value: number) => Math.round(value).toLocaleString("en-US")
      return [`### Simulation\n\n${grouped(median)} closes a second on one core (${grouped(low)} to ${grouped(high)}).`]
    }
    const name = `${group[0]!.toUpperCase()}${group.slice(1)}`
    const chart = `![${name}: ratios to ${subjectTitle(baseOf(results[0]!))}](charts/${fileOf(group)})`
    return [`### ${name}`, chart, table(results), ...noted(results)]
  })
  const noisiest = Math.max(...run.rows.map(noiseOf))
  return [
    `Run of ${run.date}. ${head(run)}. Medians of ratios in the same round, their quartiles below: to \`node:net\`, ` +
      `\`node:tls\`, \`ws\`, \`node:http\` or \`node:http2\`, whichever is bare on the transport, and for RPC to Effect's own. Two equal servers differed by up to ${Math.round(noisiest * 100)} % in a row. ` +
      `\\* the load generator was busy above ${Math.round(busyShare * 100)} % of its core.`,
    "### What is aimed at, and reached",
    aims(run),
    "### Beside Effect's own server\n\nHow many times as fast, or as small; above 1 Finwait is ahead.",
    besideEffect(run),
    ...parts,
    ...standing(run.profiles ?? []),
    ...growths(run).map(([, , text]) => text)
  ].join("\n\n")
}

/** How cost grows: a chart's file, the chart, and where it is shown. */
const growths = (run: Run): ReadonlyArray<readonly [string, string, string]> => {
  const of = (test: (id: string) => boolean) => run.rows.filter(({ row }) => test(row))
  const byConnections = of((id) => id.startsWith("ping-64-"))
  const bySize = of((id) => id.startsWith("ping-") && id.endsWith("-100"))
  if (byConnections.length === 0 || bySize.length === 0) return []
  return [
    [
      "by-connections.svg",
      growth("ping-pong, 64 B", "connections", byConnections, (row) => row.connections),
      "### How cost grows\n\n![by connections](charts/by-connections.svg)"
    ],
    [
      "by-size.svg",
      growth("ping-pong, 100 connections", "bytes per message", bySize, (row) => row.size),
      "![by message size](charts/by-size.svg)"
    ]
  ]
}

const charts = (run: Run): ReadonlyArray<readonly [string, string]> => [
  ...groups
    .filter((group) => group !== "simulation")
    .flatMap((group) => {
      const results = run.rows.filter(({ row }) => rowOf(row).group === group)
      return results.length === 0 ? [] : [[fileOf(group), bars(group, results)] as const]
    }),
  ...growths(run).map(([name, chart]) => [name, chart] as const)
]

/** The pages, and whose rows are on them. */
const pages = {
  "performance.md": (row: string) => !isHttp(rowOf(row)),
  "performance-http.md": (row: string) => isHttp(rowOf(row))
}

const writePage = (name: string, run: Run): void => {
  const file = join(docs, name)
  const text = readFileSync(file, "utf8")
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${file} has no part that begins with ${begin}`)
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n\n${generated(run)}\n\n${text.slice(to)}`)
  mkdirSync(join(docs, "charts"), { recursive: true })
  for (const [name, chart] of charts(run)) writeFileSync(join(docs, "charts", name), chart)
}

/** A page of which the run has nothing stays as it is. */
export const writeDocs = (run: Run): void => {
  for (const [name, isOn] of Object.entries(pages)) {
    const rows = run.rows.filter(({ row }) => isOn(row))
    const profiles = run.profiles?.filter(({ row }) => isOn(row)) ?? []
    if (rows.length > 0) writePage(name, { ...run, rows, profiles })
  }
}
