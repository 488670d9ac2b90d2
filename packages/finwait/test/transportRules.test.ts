import { assert, describe, it } from "@effect/vitest"
import { Observed } from "../src/testing/internal/laws/observed.ts"
import { FakeTransport } from "./support/FakeTransport.ts"

/** A pipe that is watched: the program's side of it, and the transport's. */
interface Watched {
  readonly pipe: Observed
  readonly fake: FakeTransport
  /** What the transport tells. */
  readonly tells: FakeTransport["receiver"]
}

const some = new Uint8Array(3)

const watched = () => {
  const broken: Array<string> = []
  const notes: Array<string> = []
  const fake = new FakeTransport()
  fake.flushes = fake.releases = false
  const pipe = new Observed("pipe", fake, {
    note: (who, what) => notes.push(`${who}: ${what}`),
    broke: (expected, happened) => broken.push(`${expected}; ${happened}`)
  })
  const heard: Array<string> = []
  pipe.attach({
    onData: () => heard.push("data"),
    onEnd: () => heard.push("end"),
    onWritable: () => heard.push("writable"),
    onFlushed: () => heard.push("flushed"),
    onBroken: () => heard.push("broken"),
    onReleased: () => heard.push("released")
  })
  return { broken, fake, heard, notes, pipe, tells: fake.receiver }
}

const rules: ReadonlyArray<readonly [rule: string, happened: string, story: (watched: Watched) => void]> = [
  [
    "no act throws",
    "reset threw Error: reset is broken",
    ({ fake, pipe }) => {
      fake.throwsIn = "reset"
      pipe.reset()
    }
  ],
  [
    "onData never brings nothing",
    "it brought an empty chunk",
    ({ pipe, tells }) => {
      pipe.resume()
      tells.onData(new Uint8Array(0))
    }
  ],
  [
    "a paused receiver is told nothing",
    "it was told 3 bytes",
    ({ pipe, tells }) => {
      tells.onData(some)
      pipe.late()
    }
  ],
  [
    "a paused receiver is told nothing",
    "it was told the end",
    ({ pipe, tells }) => {
      pipe.resume()
      pipe.pause()
      tells.onEnd()
      pipe.late()
    }
  ],
  [
    "no data comes after the end",
    "3 bytes came",
    ({ pipe, tells }) => {
      pipe.resume()
      tells.onEnd()
      tells.onData(some)
    }
  ],
  [
    "no data comes after onBroken",
    "3 bytes came",
    ({ pipe, tells }) => {
      pipe.resume()
      tells.onBroken("ECONNRESET")
      tells.onData(some)
    }
  ],
  [
    "the end is told once",
    "it was told again",
    ({ pipe, tells }) => {
      pipe.resume()
      tells.onEnd()
      tells.onEnd()
    }
  ],
  [
    "no end comes after onBroken",
    "the end was told",
    ({ pipe, tells }) => {
      pipe.resume()
      tells.onBroken("ECONNRESET")
      tells.onEnd()
    }
  ],
  ["onWritable follows a write that said false", "no write had said so", ({ tells }) => tells.onWritable()],
  [
    "onWritable follows a write that said false",
    "no write had said so",
    ({ fake, pipe, tells }) => {
      fake.hasRoom = false
      pipe.write(some)
      tells.onWritable()
      tells.onWritable()
    }
  ],
  [
    "no onWritable comes after onFlushed",
    "it came",
    ({ fake, pipe, tells }) => {
      fake.hasRoom = false
      pipe.write(some)
      pipe.closeWrite()
      tells.onFlushed()
      tells.onWritable()
    }
  ],
  [
    "no onWritable comes after onBroken",
    "it came",
    ({ fake, pipe, tells }) => {
      fake.hasRoom = false
      pipe.write(some)
      tells.onBroken("EPIPE")
      tells.onWritable()
    }
  ],
  ["onFlushed follows closeWrite", "nobody had asked for closeWrite", ({ tells }) => tells.onFlushed()],
  [
    "onFlushed is told once",
    "it was told again",
    ({ pipe, tells }) => {
      pipe.closeWrite()
      tells.onFlushed()
      tells.onFlushed()
    }
  ],
  [
    "no onFlushed comes after onBroken",
    "it came",
    ({ pipe, tells }) => {
      pipe.closeWrite()
      tells.onBroken("EPIPE")
      tells.onFlushed()
    }
  ],
  [
    "at onFlushed the system has everything",
    "unsentBytes was 1",
    ({ fake, pipe, tells }) => {
      pipe.closeWrite()
      fake.unsentBytes = 1
      tells.onFlushed()
    }
  ],
  [
    "onBroken is told once",
    "EPIPE, then ECONNRESET",
    ({ tells }) => {
      tells.onBroken("EPIPE")
      tells.onBroken("ECONNRESET")
    }
  ],
  ["a pipe is not given back before it has ended", "onReleased came by itself", ({ tells }) => tells.onReleased()],
  [
    "after onReleased nothing is told",
    "it is released",
    ({ pipe, tells }) => {
      pipe.reset()
      tells.onReleased()
      tells.onReleased()
    }
  ],
  [
    "after a reset only onReleased is told",
    "it hears data",
    ({ pipe, tells }) => {
      pipe.resume()
      pipe.reset()
      tells.onData(some)
    }
  ],
  [
    "after release nothing is told",
    "it hears the end",
    ({ pipe, tells }) => {
      pipe.resume()
      pipe.release()
      tells.onEnd()
    }
  ]
]

describe("the rules that every law watches over", () => {
  for (const [rule, happened, story] of rules) {
    it(`${rule}: ${happened}`, () => {
      const { broken, ...watch } = watched()
      story(watch)
      assert.deepStrictEqual(broken, [`pipe: ${rule}; ${happened}`])
    })
  }

  it("a whole life breaks none, and is passed on and noted as it is", () => {
    const { broken, fake, heard, notes, pipe, tells } = watched()
    pipe.resume()
    tells.onData(some)
    fake.hasRoom = false
    assert.isFalse(pipe.write(some))
    fake.hasRoom = true
    tells.onWritable()
    assert.isTrue(pipe.write(some))
    let caughtUp = 0
    pipe.catchUp(() => caughtUp++)
    fake.caughtUp!()
    assert.strictEqual(caughtUp, 1)
    pipe.closeWrite()
    tells.onFlushed()
    tells.onEnd()
    tells.onReleased()
    pipe.release()
    pipe.late()
    assert.deepStrictEqual(broken, [])
    assert.deepStrictEqual(heard, ["data", "writable", "flushed", "end", "released"])
    assert.deepStrictEqual(fake.told, ["write 3", "write 3", "closeWrite", "release"])
    assert.deepStrictEqual(
      notes.map((note) => note.slice("pipe: ".length)),
      [
        "attach",
        "resume",
        "hears data",
        "write",
        "is told to wait",
        "may write on",
        "write",
        "catchUp",
        "caught up",
        "closeWrite",
        "is flushed",
        "hears the end",
        "is released",
        "release"
      ]
    )
  })

  it("a pipe that breaks hands over what it has, paused or not", () => {
    const { broken, pipe, tells } = watched()
    tells.onData(some)
    tells.onEnd()
    tells.onBroken("EPIPE")
    tells.onReleased()
    pipe.late()
    assert.deepStrictEqual(broken, [])
  })

  it("what is left when a law is over is reset, and its owner told that this was all", () => {
    const { broken, fake, heard, pipe, tells } = watched()
    pipe.over()
    pipe.over()
    pipe.reset()
    tells.onReleased()
    tells.onBroken("ECONNRESET")
    assert.deepStrictEqual(broken, [])
    assert.deepStrictEqual(fake.told, ["reset"])
    assert.deepStrictEqual(heard, ["released"])

    const gone = watched()
    gone.pipe.release()
    gone.pipe.over()
    assert.deepStrictEqual(gone.fake.told, ["release"])
    assert.deepStrictEqual(gone.heard, [])
  })
})
