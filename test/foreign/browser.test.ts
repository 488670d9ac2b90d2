/**
 * What a user sees of a restart: a page in Chromium whose WebSocket is told 1001 and why when its server is told to stop,
 * and which finds the next one on the same port. Without Chromium this is skipped, and says so.
 *
 * With FINWAIT_SCREENSHOT set, the page is kept as docs/images/websocket-browser.png.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { type Browser, chromium, type Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Program } from "../tools/Program.ts"

/** Debian's, or what goes by its name elsewhere. */
const executable = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout?.trim())
  .find((path) => path !== undefined && path !== "")

const note = executable === undefined ? " (skipped here, there is no chromium)" : ""

/** Only tells an end from a hang: a browser takes its time to start. */
const boundMillis = 60_000

describe.skipIf(executable === undefined)(`a page in a browser${note}`, { timeout: boundMillis }, () => {
  let browser: Browser
  const programs: Array<Program> = []

  beforeAll(async () => {
    // As root there is no sandbox to be had, and the one page that is opened is ours.
    browser = await chromium.launch({ executablePath: executable!, args: ["--no-sandbox"] })
  }, boundMillis)

  afterAll(async () => {
    for (const program of programs) program.kill()
    await browser?.close()
  }, boundMillis)

  const serve = async (name: string, port: string) => {
    const program = new Program(new URL("browserServer.ts", import.meta.url), { env: { NAME: name, PORT: port } })
    programs.push(program)
    return { program, url: await program.listening() }
  }

  const lines = (page: Page): Promise<ReadonlyArray<string | undefined>> =>
    page.locator("#log li").evaluateAll((all) => all.map((line) => line.dataset["text"]))

  const shows = (page: Page, count: number) => page.locator(`#log li:nth-child(${count})`).waitFor()

  it("is told why its server goes, and finds the one that comes after it", async () => {
    const first = await serve("first", "0")
    const { port } = new URL(first.url)
    const page = await browser.newPage({ viewport: { width: 760, height: 236 }, deviceScaleFactor: 2 })
    const errors: Array<string> = []
    page.on("pageerror", (error) => errors.push(error.message))
    const file = pathToFileURL(join(import.meta.dirname, "browserPage.html"))
    const url = `ws://127.0.0.1:${port}/`
    file.searchParams.set("url", url)
    await page.goto(file.href)
    await shows(page, 2)

    first.program.signal("SIGTERM")
    await shows(page, 3)
    assert.deepStrictEqual(await first.program.ended(), { code: 0, signal: null }, first.program.stderr)
    const report = first.program.said.find((line) => "drained" in line)!["drained"]
    assert.isTrue(report.clean)
    assert.strictEqual(report.outcomes.Graceful, 1)

    const second = await serve("second", port)
    await shows(page, 5)
    assert.deepStrictEqual(await lines(page), [
      `open: ${url}`,
      `message: the first server, process ${first.program.pid}`,
      `close: 1001 "going away", clean`,
      `open: ${url}`,
      `message: the second server, process ${second.program.pid}`
    ])
    assert.deepStrictEqual(errors, [])

    if (process.env["FINWAIT_SCREENSHOT"] !== undefined) {
      const folder = join(import.meta.dirname, "../../docs/images")
      mkdirSync(folder, { recursive: true })
      await page.screenshot({ path: join(folder, "websocket-browser.png") })
    }

    // A page that is closed says 1001 itself, and no more.
    await page.close()
    second.program.signal("SIGTERM")
    assert.deepStrictEqual(await second.program.ended(), { code: 0, signal: null }, second.program.stderr)
  })
})
