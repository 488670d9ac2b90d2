/** The page as a browser shows it. Without Chromium this is skipped, and says so. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { lanesOf } from "../../src/report/html/lanes.ts"
import { html } from "../../src/report/html.ts"
import { Browser, executable, type Look } from "./Browser.ts"
import { connection, finding, mixed, play, row } from "./sample.ts"

const note = executable === undefined ? " (skipped here, there is no chromium)" : ""

/** Only tells an end from a hang: a browser takes its time to start. */
const boundMillis = 60_000

const word = "/a/very/long/path".repeat(40)

/** What is wide enough to push a page out of its window. */
const wide = row({
  id: "S99",
  title: word,
  bound: word,
  verdict: "fail",
  plays: [
    play({
      verdict: "fail",
      findings: [finding(word, word)],
      facts: { [word]: 1 },
      stderr: word,
      connections: [connection({ group: word, trouble: word, whole: false, instead: [word] })]
    })
  ]
})

const shown = mixed({ address: word, command: ["node", word], rows: [...mixed().rows, wide] })

const looks: ReadonlyArray<Look> = [
  { width: 375, scheme: "light" },
  { width: 375, scheme: "dark" },
  { width: 1280, scheme: "light" },
  { width: 1280, scheme: "dark" }
]

describe.skipIf(executable === undefined)(`the page of a report in a browser${note}`, { timeout: boundMillis }, () => {
  let browser: Browser
  let folder: string
  let url: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "finwait-report-"))
    const file = join(folder, "report.html")
    writeFileSync(file, html(shown))
    url = pathToFileURL(file).href
    browser = await Browser.start()
  }, boundMillis)

  afterAll(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  }, boundMillis)

  it.each(looks)("fits $width pixels, $scheme", async (look) => {
    await browser.open(url, look)
    const page = await browser.run(inPage)
    assert.deepStrictEqual(browser.complaints, [])
    assert.deepStrictEqual(
      browser.requests.filter((asked) => !asked.startsWith("data:")),
      [url]
    )
    assert.isAtMost(page.documentWidth, look.width)
    assert.strictEqual(page.rows, shown.rows.length)
    const plays = shown.rows.flatMap(({ plays }) => plays)
    assert.strictEqual(
      page.timelines,
      plays.reduce((sum, play) => sum + lanesOf(play).drawn.length, 0)
    )
    assert.isAbove(page.timelinesInSight, 5)
    assert.strictEqual(page.isDark, look.scheme === "dark")
    assert.deepStrictEqual(page.faint, [])
    assert.deepStrictEqual(page.headings.slice(0, 3), [1, 2, 2])
    page.headings.forEach((level, index) => assert.isAtMost(level, (page.headings[index - 1] ?? 0) + 1))
  })

  it("opens the row that a link leads to", async () => {
    await browser.open(`${url}#row-S2a`, { width: 1280, scheme: "light" })
    assert.isTrue(await browser.run(() => document.querySelector("#row-S2a")?.closest("details")?.open))
  })

  it("shows everything on paper, and nothing of it dark", async () => {
    await browser.open(url, { width: 800, scheme: "dark", media: "print" })
    const page = await browser.run(inPage)
    assert.isFalse(page.isDark)
    assert.strictEqual(page.timelinesInSight, page.timelines)
    assert.isAtMost(page.documentWidth, 800)
  })
})

/** Runs in the page. */
const inPage = () => {
  type Colour = readonly [red: number, green: number, blue: number, alpha: number]

  const colourOf = (css: string): Colour => {
    const [red = 0, green = 0, blue = 0, alpha = 1] = (css.match(/[\d.]+/g) ?? []).map(Number)
    return [red, green, blue, alpha]
  }

  const luminance = ([red, green, blue]: Colour): number => {
    const linear = (value: number) =>
      value / 255 <= 0.040_45 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
  }

  const behind = (element: Element | null): Colour => {
    if (element === null) return [255, 255, 255, 1]
    const colour = colourOf(getComputedStyle(element).backgroundColor)
    return colour[3] === 0 ? behind(element.parentElement) : colour
  }

  const contrast = (element: Element): number => {
    const style = getComputedStyle(element)
    const colour = colourOf(element instanceof SVGElement ? style.fill : style.color)
    const [one, other] = [luminance(colour), luminance(behind(element))]
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
  }

  const hasText = (element: Element) =>
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== "")

  const isInSight = (element: Element) => element.checkVisibility() && element.getBoundingClientRect().height > 0
  const timelines = [...document.querySelectorAll("svg[role=img]")]
  const texts = [...document.querySelectorAll("body *")].filter(
    (element) => hasText(element) && element.tagName !== "title" && isInSight(element)
  )

  return {
    documentWidth: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
    rows: document.querySelectorAll("details.row").length,
    timelines: timelines.length,
    timelinesInSight: timelines.filter(isInSight).length,
    isDark: luminance(behind(document.body)) < 0.2,
    faint: texts.filter((element) => contrast(element) < 4.5).map((element) => element.outerHTML.slice(0, 120)),
    headings: [...document.querySelectorAll("h1, h2, h3, h4")].map(({ tagName }) => Number(tagName.slice(1)))
  }
}
