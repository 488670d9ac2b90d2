/**
 * A transport that is watched: what it is told and what it tells is noted, and held against the rules of
 * `Transport` that need no other end to be seen broken. So every law tries these rules as well, whatever it is about.
 */
import type * as Transport from "../../../Transport.ts"

/** The one who writes down what happens, and what should not have. */
export interface Notes {
  note(who: string, what: string, bytes?: number): void
  broke(expected: string, happened: string): void
}

type Act = "attach" | "resume" | "pause" | "catchUp" | "write" | "writeText" | "closeWrite" | "reset" | "release"

export class Observed implements Transport.Transport, Transport.Receiver {
  readonly name: string
  private readonly inner: Transport.Transport
  private readonly notes: Notes
  private receiver: Transport.Receiver | undefined
  /** How often each act was asked for. */
  readonly acts: Record<Act, number> = {
    attach: 0,
    resume: 0,
    pause: 0,
    catchUp: 0,
    write: 0,
    writeText: 0,
    closeWrite: 0,
    reset: 0,
    release: 0
  }
  ended = false
  flushed = false
  released = false
  brokenBy: string | undefined
  private flowing = false
  private toldToWait = false
  private toldWhilePaused: string | undefined
  private isOver = false

  constructor(name: string, inner: Transport.Transport, notes: Notes) {
    this.name = name
    this.inner = inner
    this.notes = notes
  }

  get capabilities() {
    return this.inner.capabilities
  }

  get localAddress() {
    return this.inner.localAddress
  }

  get remoteAddress() {
    return this.inner.remoteAddress
  }

  get unsentBytes() {
    return this.inner.unsentBytes
  }

  // What it is told ---------------------------------------------------------------------------------------------------

  private act<A>(act: Act, otherwise: A, perform: () => A, bytes = 0): A {
    this.acts[act]++
    this.notes.note(this.name, act, bytes)
    try {
      return perform()
    } catch (thrown) {
      this.broke("no act throws", `${act} threw ${String(thrown)}`)
      return otherwise
    }
  }

  attach(receiver: Transport.Receiver): void {
    this.receiver = receiver
    this.act("attach", undefined, () => this.inner.attach(this))
  }

  resume(): void {
    this.flowing = true
    this.act("resume", undefined, () => this.inner.resume())
  }

  pause(): void {
    this.flowing = false
    this.act("pause", undefined, () => this.inner.pause())
  }

  catchUp(callback: () => void): void {
    this.act("catchUp", undefined, () =>
      this.inner.catchUp(() => {
        if (this.isOver) return
        this.notes.note(this.name, "caught up")
        callback()
      })
    )
  }

  write(bytes: Uint8Array): boolean {
    return this.wait(this.act("write", true, () => this.inner.write(bytes), bytes.length))
  }

  writeText(text: string): boolean | undefined {
    const { inner } = this
    if (inner.writeText === undefined) return undefined
    const taken = this.act("writeText", true, () => inner.writeText!(text), text.length)
    return taken === undefined ? undefined : this.wait(taken)
  }

  isText(chunk: Uint8Array): boolean {
    return this.inner.isText?.(chunk) === true
  }

  private wait(hasRoom: boolean): boolean {
    if (hasRoom) return true
    this.toldToWait = true
    this.notes.note(this.name, "is told to wait")
    return false
  }

  closeWrite(goodbye?: Transport.Goodbye): void {
    this.act("closeWrite", undefined, () => this.inner.closeWrite(goodbye))
  }

  reset(): void {
    if (this.isOver) return
    this.act("reset", undefined, () => this.inner.reset())
  }

  release(): void {
    if (this.isOver) return
    this.act("release", undefined, () => this.inner.release())
  }

  /** The law has been tried: whatever is left is given back, and nobody waits for it any longer. */
  over(): void {
    if (this.isOver) return
    if (!this.released && this.acts.release === 0) this.reset()
    this.isOver = true
    if (!this.released && this.acts.release === 0) this.receiver?.onReleased()
  }

  // What it tells -----------------------------------------------------------------------------------------------------

  /** Whether this may be told at all; notes it. */
  private tells(event: string, bytes = 0): boolean {
    if (this.isOver) return false
    if (!event.startsWith("hears") && !event.startsWith("is broken")) this.late()
    this.notes.note(this.name, event, bytes)
    if (this.acts.release > 0) this.broke("after release nothing is told", `it ${event}`)
    else if (this.released) this.broke("after onReleased nothing is told", `it ${event}`)
    else if (this.acts.reset > 0 && event !== "is released" && event !== "is flushed") {
      this.broke("after a reset only onReleased is told", `it ${event}`)
    }
    return true
  }

  onData(bytes: Uint8Array): void {
    if (!this.tells("hears data", bytes.length)) return
    const mayBeEmpty = this.capabilities.messages === true
    if (bytes.length === 0 && !mayBeEmpty) this.broke("onData never brings nothing", "it brought an empty chunk")
    if (this.ended) this.broke("no data comes after the end", `${bytes.length} bytes came`)
    if (this.brokenBy !== undefined) this.broke("no data comes after onBroken", `${bytes.length} bytes came`)
    if (!this.flowing) this.toldWhilePaused = `${bytes.length} bytes`
    this.receiver!.onData(bytes)
  }

  /**
   * A pipe that breaks hands over what it still has, paused or not: nobody could ask for it later. So what is told while
   * it is paused is wrong only when the break does not follow at once.
   */
  late(): void {
    const told = this.toldWhilePaused
    this.toldWhilePaused = undefined
    if (told !== undefined) this.broke("a paused receiver is told nothing", `it was told ${told}`)
  }

  onEnd(end?: Transport.PeerEnd): void {
    if (!this.tells("hears the end")) return
    if (this.ended) this.broke("the end is told once", "it was told again")
    if (this.brokenBy !== undefined) this.broke("no end comes after onBroken", "the end was told")
    if (!this.flowing) this.toldWhilePaused = "the end"
    this.ended = true
    this.receiver!.onEnd(end)
  }

  onWritable(): void {
    if (!this.tells("may write on")) return
    if (!this.toldToWait) this.broke("onWritable follows a write that said false", "no write had said so")
    if (this.flushed) this.broke("no onWritable comes after onFlushed", "it came")
    if (this.brokenBy !== undefined) this.broke("no onWritable comes after onBroken", "it came")
    this.toldToWait = false
    this.receiver!.onWritable()
  }

  onFlushed(): void {
    if (!this.tells("is flushed")) return
    const unsentBytes = this.inner.unsentBytes
    if (this.acts.closeWrite === 0) this.broke("onFlushed follows closeWrite", "nobody had asked for closeWrite")
    if (this.flushed) this.broke("onFlushed is told once", "it was told again")
    if (this.brokenBy !== undefined) this.broke("no onFlushed comes after onBroken", "it came")
    if (unsentBytes !== 0) {
      this.broke("at onFlushed the system has everything", `unsentBytes was ${unsentBytes}`)
    }
    this.flushed = true
    this.receiver!.onFlushed()
  }

  onBroken(code: string): void {
    if (!this.tells(`is broken (${code})`)) return
    this.toldWhilePaused = undefined
    if (this.brokenBy !== undefined) this.broke("onBroken is told once", `${this.brokenBy}, then ${code}`)
    this.brokenBy = code
    this.receiver!.onBroken(code)
  }

  onReleased(): void {
    if (!this.tells("is released")) return
    const bothEnded = this.ended && this.flushed
    if (this.acts.reset === 0 && this.brokenBy === undefined && !bothEnded) {
      this.broke("a pipe is not given back before it has ended", "onReleased came by itself")
    }
    this.released = true
    this.receiver!.onReleased()
  }

  private broke(expected: string, happened: string): void {
    this.notes.broke(`${this.name}: ${expected}`, happened)
  }
}
