/**
 * A line for each scenario as it goes on: on a terminal the line of the one that is played says for how long, elsewhere a
 * line says so now and then.
 */
import { styleText } from "node:util"
import type { Survey } from "../profiles/Profile.ts"
import type { Row } from "../report/Report.ts"
import { colours, measuredOf, seconds, shortsOf } from "../report/words.ts"
import type { Progress } from "./check.ts"
import type { Scenario } from "./Scenario.ts"

const redrawMillis = 200
/** Logs of a build are read by people who wonder whether it hangs. */
const remindMillis = 15_000
const titleWidth = 42

export class Lines implements Progress {
  private readonly stream: NodeJS.WriteStream
  private readonly repeat: number
  private timer: NodeJS.Timeout | undefined

  constructor(stream: NodeJS.WriteStream, repeat: number) {
    this.stream = stream
    this.repeat = repeat
  }

  surveyed({ described }: Survey): void {
    for (const [purpose, text] of Object.entries(described)) this.say(`${`${purpose}:`.padEnd(10)} ${text}`)
    this.say("")
  }

  begins({ id, title }: Scenario, play: number): void {
    clearInterval(this.timer)
    const from = performance.now()
    const again = this.repeat > 1 ? ` ${play} of ${this.repeat}` : ""
    const since = () => ((performance.now() - from) / 1000).toFixed(1)
    if (!this.stream.isTTY) {
      this.timer = setInterval(() => this.say(`${headOf(id, title)}${again} … ${since()} s`), remindMillis)
      return
    }
    const draw = () => this.stream.write(`\r\x1b[K${headOf(id, title)}${again} … ${since()} s`)
    draw()
    this.timer = setInterval(draw, redrawMillis)
  }

  done(row: Row): void {
    this.end()
    const { id, measured, plays, title, unit, verdict } = row
    const figure =
      measured === null ? measuredOf(row) : unit === "" ? String(measured.median) : seconds(measured.median)
    const isPlayed = verdict !== "not run" && verdict !== "n/a"
    const [first] = isPlayed ? shortsOf(row) : plays.flatMap(({ notes }) => notes)
    const room = (this.stream.columns ?? 100) - titleWidth - 30
    const why = first === undefined ? "" : first.length > room ? `${first.slice(0, Math.max(10, room - 1))}…` : first
    const word = styleText(colours[verdict], verdict.padEnd(8), { stream: this.stream })
    this.say(`${headOf(id, title)} ${word} ${figure.padStart(8)}  ${why}`.trimEnd())
  }

  /** Whatever happens. */
  end(): void {
    clearInterval(this.timer)
    if (this.stream.isTTY) this.stream.write("\r\x1b[K")
  }

  private say(line: string): void {
    this.stream.write(`${line}\n`)
  }
}

const headOf = (id: string, title: string): string => `${id.padEnd(7)} ${title.padEnd(titleWidth)}`
