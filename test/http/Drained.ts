/** Servers that can be told to end: processes of their own, or one after the other in one. */
import type { Report } from "finwait/Drain"
import { Child } from "../kernel/Child.ts"
import type { Settings } from "./app.ts"

/** Only tells an end from a hang. */
export const boundMillis = 30_000

export interface Drained {
  /** From the word to the end. */
  readonly millis: number
  /** Of Finwait's servers. */
  readonly report: Report | undefined
  /** How many requests have come to it in all. */
  readonly asked: number
}

export interface Running {
  readonly port: number
  /** So many requests have come to it. */
  asked(least: number): Promise<void>
  /** Tells it to end, and waits for that. */
  drain(): Promise<Drained>
}

export const childOf = (file: string, ...args: ReadonlyArray<string>): Child =>
  new Child([], new URL(file, import.meta.url).href, args)

/** A process of its own, which is told by SIGTERM. */
export class Alone implements Running {
  readonly child: Child
  port = 0

  private constructor(settings: Settings) {
    this.child = childOf("server.ts", JSON.stringify(settings))
  }

  static async start(settings: Settings): Promise<Alone> {
    const alone = new Alone(settings)
    alone.port = await alone.child.says<number>("port", boundMillis)
    return alone
  }

  asked(least: number): Promise<void> {
    return this.child.ask("asked", least, boundMillis)
  }

  async drain(): Promise<Drained> {
    const began = performance.now()
    this.child.signal("SIGTERM")
    const { code, signal } = await this.child.ended
    const millis = performance.now() - began
    if (code !== 0) throw new Error(`the server ended with ${code ?? signal}\n${this.child.stderr}`)
    return { ...(await this.child.says<Omit<Drained, "millis">>("drained", boundMillis)), millis }
  }

  /** Tells it to end, as a supervisor does: who is not gone in time is killed. */
  async killed(patienceMillis: number): Promise<Drained> {
    const began = performance.now()
    this.child.signal("SIGTERM")
    const timer = setTimeout(() => this.child.kill(), patienceMillis)
    await this.child.ended
    clearTimeout(timer)
    return { millis: performance.now() - began, report: undefined, asked: Number.NaN }
  }
}

/** One of a process that has one after the other. */
export class Hosted implements Running {
  readonly port: number
  private readonly host: Child

  private constructor(host: Child, port: number) {
    this.host = host
    this.port = port
  }

  static async start(host: Child, settings: Settings): Promise<Hosted> {
    return new Hosted(host, await host.ask<number>("start", settings, boundMillis))
  }

  asked(least: number): Promise<void> {
    return this.host.ask("asked", least, boundMillis)
  }

  drain(): Promise<Drained> {
    return this.host.ask<Drained>("drain", null, boundMillis)
  }
}
