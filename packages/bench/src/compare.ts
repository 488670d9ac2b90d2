/** Two runs beside each other, by their ratios: figures of different machines cannot be compared, ratios can. */
import { baseOf, noiseOf, ratioOf, type Run } from "./report.ts"
import { rowOf } from "./rows.ts"
import { subjectTitle } from "./text.ts"

export const compared = (before: Run, after: Run): string =>
  [
    `compared with the run of ${before.date} on ${before.machine.processor}:`,
    ...after.rows.flatMap((row) => {
      const old = before.rows.find((one) => one.row === row.row)
      if (old === undefined) return [`  ${rowOf(row.row).title}: was not measured then`]
      return row.results.flatMap(({ subject }) => {
        const [was, is] = [ratioOf(old, subject), ratioOf(row, subject)]
        if (was === undefined || is === undefined || subject === baseOf(row)) return []
        const change = is.median / was.median - 1
        const beyond = Math.abs(change) > noiseOf(old) + noiseOf(row) ? "" : " (within the noise)"
        const sign = change < 0 ? "" : "+"
        return [
          `  ${rowOf(row.row).title}, ${subjectTitle(subject)}: ${was.median.toFixed(2)} to ${is.median.toFixed(2)}, ` +
            `${sign}${Math.round(change * 100)} %${beyond}`
        ]
      })
    })
  ].join("\n")
