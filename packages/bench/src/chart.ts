/** Charts as SVG, readable on light and on dark pages. */
import { BarChart, LineChart } from "echarts/charts"
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components"
import * as echarts from "echarts/core"
import { SVGRenderer } from "echarts/renderers"
import { baseOf, ratioOf } from "./report.ts"
import type { RowResult } from "./rounds.ts"
import { lessIsBetter, type Row, rowOf } from "./rows.ts"
import { subjectTitle } from "./text.ts"

echarts.use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

const ink = "#1f2328"
const faint = "#d1d9e0"
/** What a dark page shows in place of ink and faint lines. */
const dark = { [ink]: "#e6edf3", [faint]: "#3d444d" }
const colours: Record<string, string> = {
  raw: "#8c959f",
  tls: "#8c959f",
  ws: "#8c959f",
  http: "#8c959f",
  http2: "#8c959f",
  upgraded: "#8c959f",
  fastify: "#57606a",
  "effect-http": "#c69026",
  "effect-router": "#e0b252",
  "effect-rpc": "#c69026",
  echod: "#57606a",
  "effect-pull": "#c69026",
  "effect-stream": "#e0b252",
  "effect-channel": "#9a6700",
  "effect-messages": "#7d4e00",
  "finwait-pull": "#4493f8",
  "finwait-each": "#1f6feb",
  "finwait-stream": "#79b8ff",
  "finwait-framing": "#0550ae",
  "finwait-messages": "#a5d6ff",
  "finwait-trusting": "#0550ae",
  "finwait-drop-in": "#79b8ff",
  "finwait-rpc": "#79b8ff",
  "finwait-rpc-drain": "#1f6feb",
  "finwait-http": "#1f6feb",
  "finwait-router": "#79b8ff"
}

/** The subjects that a chart shows. */
const shown = Object.keys(colours)

/** Those of them that have a result. */
const shownIn = (results: ReadonlyArray<RowResult>): ReadonlyArray<string> =>
  shown.filter((id) => results.some((row) => row.results.some(({ subject }) => subject === id)))

const textStyle = { color: ink, fontFamily: "system-ui, sans-serif", fontSize: 12 }

const svg = (width: number, height: number, option: echarts.EChartsCoreOption): string => {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height })
  chart.setOption({ animation: false, textStyle, ...option })
  const drawn = chart.renderToSVGString()
  chart.dispose()
  const rules = Object.entries(dark).flatMap(([light, other]) =>
    ["fill", "stroke"].map((what) => `[${what}="${light}"]{${what}:${other}}`)
  )
  const style = `<style>@media (prefers-color-scheme: dark){${rules.join("")}}</style>`
  return `${drawn.replace(/<svg[^>]*>/, (tag) => tag + style)}\n`
}

const title = (text: string, subtext: string) => ({
  title: { text, subtext, textStyle: { color: ink, fontSize: 14 }, subtextStyle: { color: ink }, left: 0 }
})
/** How wide a text is, is only guessed where it is drawn without a screen: there is room for wider fonts. */
const legend = { bottom: 0, textStyle, itemWidth: 12, itemHeight: 12, itemGap: 26 }
const split = { splitLine: { lineStyle: { color: faint } }, axisLine: { lineStyle: { color: ink } } }

/** A bar for each subject in each row: its ratio to what is bare. The rows of a group have the same reference. */
export const bars = (name: string, results: ReadonlyArray<RowResult>): string => {
  const less = results.every(({ row }) => lessIsBetter(rowOf(row)))
  const present = shownIn(results)
  const rows = results.toReversed()
  return svg(860, 158 + rows.length * (present.length * 11 + 16), {
    ...title(
      name,
      `ratio to ${subjectTitle(baseOf(results[0]!))} in the same run; ${less ? "less" : "more"} is better`
    ),
    grid: { left: 210, right: 50, top: 56, bottom: 92, outerBoundsMode: "none" },
    legend: { ...legend, data: present.map(subjectTitle) },
    xAxis: { type: "value", axisLabel: textStyle, ...split },
    yAxis: {
      type: "category",
      data: rows.map(({ row }) => rowOf(row).title),
      axisLabel: { ...textStyle, width: 150, overflow: "break" },
      axisTick: { show: false },
      ...split
    },
    series: present.map((id) => ({
      type: "bar",
      name: subjectTitle(id),
      itemStyle: { color: colours[id] },
      label: { show: true, position: "right", color: ink, fontSize: 9, formatter: "{c}" },
      barGap: "10%",
      data: rows.map((row) => ratioOf(row, id)?.median.toFixed(2) ?? null)
    }))
  })
}

/** How a subject's cost per message grows along one of the row's figures. */
export const growth = (
  name: string,
  along: string,
  results: ReadonlyArray<RowResult>,
  of: (row: Row) => number
): string => {
  const present = shownIn(results)
  const rows = results.toSorted((one, other) => of(rowOf(one.row)) - of(rowOf(other.row)))
  return svg(860, 430, {
    ...title(name, "microseconds of the server's processor per message; less is better"),
    grid: { left: 40, right: 30, top: 64, bottom: 112, outerBoundsMode: "none" },
    legend: { ...legend, data: present.map(subjectTitle) },
    xAxis: {
      type: "category",
      data: rows.map((row) => of(rowOf(row.row)).toLocaleString("en-US")),
      name: along,
      nameLocation: "middle",
      nameGap: 24,
      axisLabel: textStyle,
      ...split
    },
    yAxis: { type: "value", axisLabel: textStyle, ...split },
    series: present.map((id) => ({
      type: "line",
      name: subjectTitle(id),
      itemStyle: { color: colours[id] },
      lineStyle: { color: colours[id] },
      data: rows.map((row) => row.results.find(({ subject }) => subject === id)?.cpuMicros.toFixed(2) ?? null)
    }))
  })
}
