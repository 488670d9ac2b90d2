/**
 * A report as a page: one file that loads nothing, runs no script, and can be kept with an incident. It reads on a phone,
 * in the dark and on paper, and says nothing by colour alone.
 */
import { header } from "./html/header.ts"
import { legend } from "./html/glyphs.ts"
import { Markup, markup } from "./html/Markup.ts"
import { anchorOf, rowOf } from "./html/row.ts"
import { style } from "./html/style.ts"
import { badge, classOf } from "./html/verdict.ts"
import type { Report, Row } from "./Report.ts"
import { countsOf, measuredOf, shortsOf } from "./words.ts"

export const html = (report: Report): string => {
  const { name, rows } = report
  return `<!doctype html>\n${
    markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${name}: ${countsOf(rows)}</title>
<style>${new Markup(style)}</style>
</head>
<body>
${header(report)}
<main>
<h2>Scenarios</h2>
${overview(rows)}
<h2>What its clients lived through</h2>
${legend()}
${rows.map((row) => rowOf(report, row))}
</main>
</body>
</html>`.source
  }\n`
}

const overview = (rows: ReadonlyArray<Row>): Markup => markup`<table>
<thead><tr><th scope="col">id</th><th scope="col">scenario</th><th scope="col">measured</th><th scope="col" class="wide">bound</th><th scope="col">verdict</th></tr></thead>
<tbody>
${rows.map((row) => markup`<tr><td class="id"><a href="#${anchorOf(row)}">${row.id}</a></td><th scope="row">${row.title}${why(row)}</th><td>${measuredOf(row)}</td><td class="wide">${row.bound}</td><td>${badge(row.verdict)}</td></tr>`)}
</tbody>
</table>`

const why = (row: Row): Markup | undefined => {
  const shorts = shortsOf(row).join(", ")
  return shorts === "" ? undefined : markup` <span class="why ${classOf(row.verdict)}">${shorts}</span>`
}
