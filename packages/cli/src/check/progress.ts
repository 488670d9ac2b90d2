/** A line for each scenario as it goes on: on a terminal the line of the one that is played says for how long. */
import { styleText } from "node:util"
import type { Survey } from "../profiles/Profile.ts"
import type { Row, VerdictName } from "../report/Report.ts"
import type { Progress } from "./check.ts"
import type { Scenario } from "./Scenario.ts"

const redrawMillis = 200
const titleWidth = 42

const styles: Readonly<Record<VerdictName, Parameters<typeof styleText>[0]>> = {
  pass: "green",
  warn: "yellow",
  fail: "red",
  "not run": "yellow",
  "n/a": "dim"
}

export class Lines implements Progress {
  private readonly stream: NodeJS.WriteStream
  private readonly repeat: number
  private timer: NodeJS.Timeout | undefined

  constructor(stream: NodeJS.WriteStream, repeat: number) {
    this.stream = stream
    this.repeat = repeat
  }

  surveyed({ described }: Survey): void {
    for (const [purpose, text] of Object.entries(described)) this.say(`${`${purpose}:`.padEnd(8)} ${text}`)
    this.say("")
  }

  begins({ id, title }: Scenario, play: number): void {
    clearInterval(this.timer)
    if (!this.stream.isTTY) return
    const from = performance.now()
    const again = this.repeat > 1 ? ` ${play} of ${this.repeat}` : ""
    const draw = () => {
      const seconds = ((performance.now() - from) / 1000).toFixed(1)
      this.stream.write(`\r\x1b[K${headOf(id, title)}${again} … ${seconds} s`)
    }
    draw()
    this.timer = setInterval(draw, redrawMillis)
  }

  done({ id, measured, plays, title, unit, verdict }: Row): void {
    this.end()
    const figure =
      measured === null ? "" : `${measured.median.toFixed(unit === "s" ? 2 : 0)}${unit === "" ? "" : ` ${unit}`}`
    const [first] = plays.flatMap(({ findings, notes }) => [
      ...findings.map(({ short }) => short),
      ...(verdict === "not run" || verdict === "n/a" ? notes : [])
    ])
    const room = (this.stream.columns ?? 100) - titleWidth - 30
    const why = first === undefined ? "" : first.length > room ? `${first.slice(0, Math.max(10, room - 1))}…` : first
    const word = styleText(styles[verdict], verdict.padEnd(8), { stream: this.stream })
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
