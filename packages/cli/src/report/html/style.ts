/** How the page looks. Text has a contrast of 4.5 to 1 at least, in both schemes, and marks 3 to 1. */
export const style = `
:root {
  --page: #f6f7f9; --sheet: #ffffff; --ink: #1b2027; --muted: #545d69; --rule: #d9dee4; --faint: #eceff2; --before: #f3f5f7;
  --pass: #14692f; --warn: #7a4d00; --fail: #b01b16; --none: #545d69;
  --fail-ink: #ffffff; --out: #0b57a4; --heard: #3d7f86; --told: #8a5a00; --signal: #1b2027; --exit: #7b3fa0;
  color-scheme: light dark;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0e1216; --sheet: #151a20; --ink: #dde3ea; --muted: #98a3b0; --rule: #2b333c; --faint: #20272f; --before: #1a2027;
    --pass: #5cc37a; --warn: #e0ab45; --fail: #ff8078; --none: #98a3b0;
    --fail-ink: #1a0504; --out: #77b4f5; --heard: #5fb3bb; --told: #e0ab45; --signal: #dde3ea; --exit: #c79be6;
  }
}
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere }
code, pre { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
h1, h2, h3, h4, p, ul, dl, dd, pre { margin: 0; padding: 0 }
ul { list-style: none }
h1 { font-size: 1.75rem; line-height: 1.2; font-weight: 650; letter-spacing: -.01em }
h2 { font-size: 1.0625rem; font-weight: 650; margin: 2.5rem 0 .75rem }
h3 { font-size: 1rem; font-weight: 600; flex: 1 1 14rem; min-width: 0 }
h4 { font-size: .875rem; font-weight: 600 }
h4 .muted { font-weight: 400 }
a { color: inherit; text-decoration-color: var(--muted); text-underline-offset: .2em }
a:hover { text-decoration-thickness: 2px }
:focus-visible { outline: 2px solid var(--out); outline-offset: 2px; border-radius: 2px }
.muted { color: var(--muted) }
.small { font-size: .8125rem }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.kicker { color: var(--muted); font-size: .8125rem; margin-bottom: .25rem }
.command { margin: .5rem 0 1.25rem }
.command code { display: block; padding: .5rem .75rem; background: var(--sheet); border: 1px solid var(--rule); border-radius: 6px }
.command code::before { content: "$ "; color: var(--muted) }

.tally { display: flex; flex-wrap: wrap; gap: .5rem; margin-bottom: 1.25rem }
.tally li { padding: .25rem .75rem; border: 1px solid currentColor; border-radius: 6px; background: var(--sheet) }
.tally b { font-size: 1.125rem; font-variant-numeric: tabular-nums }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; font-size: .875rem }
.facts dt { color: var(--muted); font-size: .75rem }
.words > .facts { padding: .5rem 0 0 1.1rem }
header > .words { margin-top: .75rem }

.pass { color: var(--pass) } .warn { color: var(--warn) } .fail { color: var(--fail) } .not-run, .n-a { color: var(--none) }
.badge { display: inline-block; white-space: nowrap; font-size: .8125rem; font-weight: 650; padding: 0 .5rem; border: 1px solid currentColor; border-radius: 4px; line-height: 1.45rem }
.badge.fail { background: var(--fail); border-color: var(--fail); color: var(--fail-ink) }
.badge.n-a, .badge.not-run { border-style: dashed; font-weight: 500 }
.mark { font-weight: 700; flex: 0 0 1.1em; text-align: center }

table { width: 100%; border-collapse: collapse; background: var(--sheet); border: 1px solid var(--rule); font-size: .875rem; font-variant-numeric: tabular-nums }
th, td { padding: .375rem .75rem; text-align: left; vertical-align: baseline; border-top: 1px solid var(--faint); font-weight: 400 }
thead th { color: var(--muted); font-size: .75rem; border-top: 0 }
td.id { font-weight: 600 }
td.id, thead th, td:nth-child(3) { overflow-wrap: normal }
td:last-child, th:last-child { width: 1% }
.why { display: block; font-size: .8125rem }

.legend { display: flex; flex-wrap: wrap; gap: .125rem 1.125rem; margin-bottom: 1rem; font-size: .8125rem; color: var(--muted) }
.legend li { display: flex; align-items: center; gap: .375rem }
.legend svg { overflow: visible }

summary { cursor: pointer; list-style: none }
summary::-webkit-details-marker { display: none }
summary::before { content: "▸"; color: var(--muted); flex: 0 0 1.1em; display: inline-block; width: 1.1em }
details[open] > summary::before { content: "▾" }
.row { margin-top: .5rem; background: var(--sheet); border: 1px solid var(--rule); border-left: 4px solid currentColor; border-radius: 4px }
.row > * { color: var(--ink) }
.row > summary { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .75rem; padding: .5rem .875rem }
.row > summary h3 { margin-left: -.75rem }
.row .id { display: inline-block; min-width: 2.5rem; margin-right: .25rem; color: var(--muted) }
.figures { display: flex; flex-wrap: wrap; gap: 0 .75rem; font-size: .875rem; font-variant-numeric: tabular-nums }
.figures b { font-weight: 600 }
.body { padding: .25rem .875rem 1rem; border-top: 1px solid var(--faint); scroll-margin-top: 4rem }
.remarks { margin-top: .625rem }
.remarks li { display: flex; gap: .5rem; padding: .0625rem 0 }
.about { display: grid; grid-template-columns: repeat(3, 1fr); gap: .75rem 1.75rem; margin-top: .75rem; font-size: .875rem }
.about dt { color: var(--muted); font-size: .75rem }
.play { margin-top: 1.125rem }
.play > summary { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .75rem }
.play > summary h4 { margin-left: -.75rem }
.words { margin-top: .375rem; font-size: .8125rem }
.words > summary { color: var(--muted) }
.words > ul { padding: .25rem 0 .25rem 1.1rem }
.words > ul li + li { margin-top: .25rem }
.words pre { margin: .375rem 0 0 1.1rem; padding: .625rem .75rem; max-height: 22rem; overflow: auto; background: var(--page); border: 1px solid var(--rule); border-radius: 4px; white-space: pre-wrap; font-size: 12px }

.timeline { margin: .5rem 0 .25rem; overflow-x: auto; font-size: .8125rem; line-height: 1.35; border-bottom: 1px solid var(--rule) }
.timeline li, .axis { display: grid; grid-template-columns: 9.5rem minmax(20rem, 1fr) 14rem; column-gap: .75rem; align-items: center }
.timeline li { border-top: 1px solid var(--faint) }
.timeline li > span { padding: .25rem 0 }
.who { font-weight: 600 }
.had b { font-weight: 600; font-variant-numeric: tabular-nums } .had b.lost { color: var(--fail) }
.had .muted { display: block }
.timeline li > .plot, .plot { position: relative; align-self: stretch; min-height: 2.75rem; padding: 0 }
.axis > .plot { min-height: 2.375rem }
.plot > svg { position: absolute; inset: 0; width: 100%; height: 100% }
.plot text { font-size: 11px; fill: var(--ink); stroke: var(--sheet); stroke-width: 3px; paint-order: stroke; stroke-linejoin: round; font-variant-numeric: tabular-nums }
.plot .at-tick { fill: var(--muted) }
.plot .at-signal { font-weight: 650 }
.plot .at-exit { font-weight: 650; fill: var(--exit) }
.plot .word { fill: var(--told); font-weight: 600 }
.plot .end { font-weight: 700 }
.before { fill: var(--before) }
.tick { stroke: var(--faint) }
.signal { stroke: var(--signal); stroke-width: 1.5px }
.exit { stroke: var(--exit); stroke-width: 1.5px; stroke-dasharray: 4 3 }
.life { stroke: var(--muted); stroke-width: 1.5px }
.deaf { stroke-dasharray: 1 4; stroke-linecap: round; stroke-width: 2px }
.heard { stroke: var(--heard); stroke-linecap: round }
.said { stroke: var(--out); stroke-linecap: round; stroke-width: 3px }
.g-line { stroke: var(--muted); stroke-width: 2px; fill: none }
.g-out, .g-out.hollow { fill: var(--out); stroke: var(--out); stroke-width: 1.25px; stroke-linejoin: round }
.g-out.hollow { fill: var(--sheet) }
.g-heard { fill: var(--heard) }
.g-stop { fill: var(--ink); stroke: var(--sheet); stroke-width: 1px }
.g-told { fill: var(--told); stroke: var(--sheet); stroke-width: 1px }
.g-fin { fill: var(--ink); stroke: var(--sheet); stroke-width: 1px }
.g-rst { fill: none; stroke: var(--fail); stroke-width: 2.75px; stroke-linecap: round }
.g-open { fill: var(--sheet); stroke: var(--ink); stroke-width: 2px }

@media (max-width: 46rem) {
  body { padding: 1.25rem 1rem 3rem; }
  .wide { display: none }
  th, td { padding: .375rem .5rem }
  .about { grid-template-columns: 1fr }
  .timeline li, .axis { grid-template-columns: minmax(20rem, 1fr); column-gap: 0 }
  .timeline li > .who { padding: .375rem 0 0; grid-row: 1 }
  .timeline li > .had { padding: 0; grid-row: 2 }
  .timeline li > .plot { grid-row: 3 }
  .had .muted { display: inline }
  .axis > .who, .axis > .had { display: none }
  .row > summary h3 { flex-basis: calc(100% - 8rem) }
  .row > summary .figures { order: 1; flex-basis: 100% }
  .row .id { min-width: 0; margin-right: .25rem }
}
@media print {
  :root { --page: #ffffff; color-scheme: light }
  body { padding: 0; max-width: none; font-size: 12px }
  details::details-content { content-visibility: visible; block-size: auto; opacity: 1 }
  summary::before { display: none }
  .words pre { max-height: none }
  .row, .play, .timeline li, tr { break-inside: avoid }
  .row:has(.timeline) { break-inside: auto }
  h2, summary { break-after: avoid }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
`
