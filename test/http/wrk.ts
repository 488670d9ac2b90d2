/**
 * A client in a closed loop, as a process: so many connections, each of which asks again when it has its answer.
 *
 *     start load      begins
 *     answered n      when n more have been answered whole than now
 *     counts          what happened so far, and what was not as it should be
 *     stop            asks no more; the counts, when all is answered
 */
import { ca } from "../../packages/node/test/support/certificates.ts"
import { answer } from "../kernel/rpc.ts"
import { Count } from "./Count.ts"
import { broken, type Counts, type Event, type Fate, noCounts } from "./Counts.ts"
import { type Ask, Link, type Owner } from "./Link.ts"

export interface Load {
  readonly port: number
  readonly tls?: boolean
  readonly connections: number
  /** How many of them make a new connection for each request. */
  readonly fresh?: number
  /** Whether some requests are POSTs. Default `true`. */
  readonly posts?: boolean
}

export interface Books {
  readonly counts: Counts
  /** The first of what was not as it should be. */
  readonly notes: ReadonlyArray<string>
}

/** Between two tries to connect where nobody listens. */
const againMillis = 5

const notesMax = 40

/**
 * Of every 32 requests: two bring 20 KiB, two are answered in a stream, one is answered with 200 KiB, four take their
 * time, and behind four the client takes its own. The pauses stay far below the server's `keepAliveGrace`.
 */
const plan = (id: number, closes: boolean, posts: boolean): Ask => {
  const millis = id % 8 === 5 ? 1 + (id % 20) : 0
  const isPost = posts && id % 16 === 3
  const isStream = id % 16 === 7
  const bytes = id % 32 === 9 ? 200 * 1024 : 1024
  const path = `/${id}/${isStream ? 1 : millis}/${bytes}${isStream ? "/stream" : ""}`
  const head = `${isPost ? "POST" : "GET"} ${path} HTTP/1.1\r\nHost: localhost\r\n${closes ? "Connection: close\r\n" : ""}`
  const words = isPost ? `${head}Content-Length: ${posted.length}\r\n\r\n${posted}` : `${head}\r\n`
  return { id, bytes, words, pauseMillis: id % 8 === 2 ? 1 + (id % 30) : 0 }
}

const posted = "x".repeat(20 * 1024)

class Client {
  readonly ca: string | undefined
  readonly port: number
  readonly counts = noCounts()
  readonly whole = new Count()
  readonly notes: Array<string> = []
  private readonly posts: boolean
  private readonly links = new Set<Link>()
  private isStopping = false
  private onStopped = () => {}

  constructor({ connections, fresh = 0, port, posts = true, tls }: Load) {
    this.port = port
    this.posts = posts
    this.ca = tls === true ? ca : undefined
    for (let i = 0; i < connections; i++) this.connect(i < fresh)
  }

  private connect(isFresh: boolean): void {
    if (this.isStopping) return
    const owner: Owner = {
      port: this.port,
      ca: this.ca,
      next: () => (this.isStopping ? undefined : plan(++this.counts.sent, isFresh, this.posts)),
      tell: (what, about) => this.tell(what, about),
      leave: (wasRefused) => {
        if (wasRefused) setTimeout(() => this.connect(isFresh), againMillis)
        else this.connect(isFresh)
      },
      gone: (link) => this.gone(link)
    }
    this.links.add(new Link(owner))
  }

  private gone(link: Link): void {
    this.links.delete(link)
    if (this.isStopping && this.links.size === 0) this.onStopped()
  }

  private tell(what: Fate | Event, about: string): void {
    this.counts[what]++
    if (what === "whole") this.whole.add()
    if ((broken as ReadonlyArray<string>).includes(what) && this.notes.length < notesMax) {
      this.notes.push(`${what}: ${about}`)
    }
  }

  get books(): Books {
    return { counts: this.counts, notes: this.notes }
  }

  stop(): Promise<Books> {
    this.isStopping = true
    return new Promise((resolve) => {
      this.onStopped = () => resolve(this.books)
      if (this.links.size === 0) this.onStopped()
      for (const link of this.links) link.finish()
    })
  }
}

let client: Client

answer({
  start: (load: Load) => {
    client = new Client(load)
  },
  answered: (more: number) => client.whole.reaches(client.whole.value + more),
  counts: () => client.books,
  stop: () => client.stop()
})
