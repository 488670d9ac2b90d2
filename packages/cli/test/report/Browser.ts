/** A headless Chromium with one page, spoken to over its pipe: what is asked here needs no library. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"

/** Debian's, or what goes by its name elsewhere. */
export const executable = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout?.trim())
  .find((path) => path !== undefined && path !== "")

export interface Look {
  readonly width: number
  readonly scheme: "light" | "dark"
  readonly media?: "screen" | "print"
}

interface Answer {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, any>
  readonly result?: any
  readonly error?: { readonly message: string }
}

export class Browser {
  /** What the page complained of, and what its browser did. */
  readonly complaints: Array<string> = []
  /** Whatever the last page asked of a network or a disk. */
  readonly requests: Array<string> = []
  private readonly child: ChildProcess
  private readonly folder = mkdtempSync(join(tmpdir(), "finwait-page-"))
  private readonly waiting = new Map<number, (answer: Answer) => void>()
  private readonly gone: Promise<void>
  private session: string | undefined
  private loaded = () => {}
  private rest = ""
  private lastId = 0

  private constructor() {
    // As root there is no sandbox to be had, and the one page that is opened is ours.
    const flags = ["--headless", "--no-sandbox", "--no-first-run", "--disable-gpu", "--remote-debugging-pipe"]
    this.child = spawn(executable!, [...flags, `--user-data-dir=${this.folder}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"]
    })
    this.gone = new Promise((resolve) => this.child.once("close", () => resolve()))
    const told = this.child.stdio[4] as Readable
    told.setEncoding("utf8").on("data", (chunk: string) => this.onTold(chunk))
  }

  static async start(): Promise<Browser> {
    const browser = new Browser()
    const { targetId } = await browser.ask("Target.createTarget", { url: "about:blank" })
    const { sessionId } = await browser.ask("Target.attachToTarget", { targetId, flatten: true })
    browser.session = sessionId
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await browser.ask(`${domain}.enable`)
    return browser
  }

  async open(url: string, { media = "screen", scheme, width }: Look): Promise<void> {
    const screen = { width, height: 900, deviceScaleFactor: 2, mobile: width < 600 }
    await this.ask("Emulation.setDeviceMetricsOverride", screen)
    const features = [{ name: "prefers-color-scheme", value: scheme }]
    await this.ask("Emulation.setEmulatedMedia", { media, features })
    // Otherwise what differs behind a # alone is no other page, and never loads.
    await this.navigate("about:blank")
    this.requests.length = 0
    await this.navigate(url)
  }

  /** What a function gives in the page. It sees nothing of where it was written. */
  async run<A>(inPage: () => A): Promise<A> {
    const expression = `(${inPage.toString()})()`
    const { exceptionDetails, result } = await this.ask("Runtime.evaluate", { expression, returnByValue: true })
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
    return result.value
  }

  /** Of the whole page, PNG. */
  async picture(): Promise<Buffer> {
    const { cssContentSize } = await this.ask("Page.getLayoutMetrics")
    const clip = { ...cssContentSize, x: 0, y: 0, scale: 1 }
    const { data } = await this.ask("Page.captureScreenshot", { captureBeyondViewport: true, clip })
    return Buffer.from(data, "base64")
  }

  async close(): Promise<void> {
    this.child.kill()
    await this.gone
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  private async navigate(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => {
      this.loaded = resolve
    })
    await this.ask("Page.navigate", { url })
    await loaded
  }

  private async ask(method: string, params: object = {}): Promise<any> {
    const id = ++this.lastId
    const answered = new Promise<Answer>((resolve) => this.waiting.set(id, resolve))
    const session = this.session === undefined ? {} : { sessionId: this.session }
    const tell = this.child.stdio[3] as Writable
    tell.write(`${JSON.stringify({ id, method, params, ...session })}\0`)
    const { error, result } = await answered
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result
  }

  private onTold(chunk: string): void {
    const messages = (this.rest + chunk).split("\0")
    this.rest = messages.pop() ?? ""
    for (const message of messages) this.onMessage(JSON.parse(message) as Answer)
  }

  private onMessage(answer: Answer): void {
    const { id, method, params } = answer
    if (id !== undefined) this.waiting.get(id)?.(answer)
    if (method === "Page.loadEventFired") this.loaded()
    if (method === "Network.requestWillBeSent") this.requests.push(params?.["request"].url)
    if (method === "Log.entryAdded") this.complaints.push(params?.["entry"].text)
    if (method === "Runtime.exceptionThrown" || method === "Runtime.consoleAPICalled") {
      this.complaints.push(JSON.stringify(params))
    }
  }
}
