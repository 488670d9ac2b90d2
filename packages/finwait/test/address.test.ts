import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Address from "finwait/Address"

const parsed = (input: Address.Input) => Effect.runSync(Address.parse(input))
const problem = (input: Address.Input) => Effect.runSync(Effect.flip(Address.parse(input))).message

describe("an address", () => {
  it("is read from its URL", () => {
    assert.deepStrictEqual(parsed("tcp://127.0.0.1:7000"), Address.tcp("127.0.0.1", 7000))
    assert.deepStrictEqual(parsed("tcp://example.org:0/"), Address.tcp("example.org", 0))
    assert.deepStrictEqual(parsed("tcp://[::1]:65535"), Address.tcp("::1", 65535))
    assert.deepStrictEqual(parsed("unix:///run/app.sock"), Address.unix("/run/app.sock"))
    assert.deepStrictEqual(parsed("unix:app.sock"), Address.unix("app.sock"))
    assert.deepStrictEqual(parsed("unix:///with space/ü"), Address.unix("/with space/ü"))
  })

  it("that is one already passes through, after the same checks", () => {
    assert.deepStrictEqual(parsed(Address.tcp("::1", 1)), Address.tcp("::1", 1))
    assert.deepStrictEqual(parsed(Address.unix("/run/app.sock")), Address.unix("/run/app.sock"))
    assert.strictEqual(
      problem(Address.tcp("localhost", 70_000)),
      'parse address "tcp://localhost:70000": port 70000 is not between 0 and 65535; expected tcp://HOST:PORT or unix:///PATH'
    )
    assert.include(problem(Address.tcp("localhost", -1)), "no host and port")
    assert.include(problem(Address.tcp("localhost", 1.5)), "no host and port")
    assert.include(problem(Address.unix("")), "the path is empty")
  })

  it("that is none is refused with the reason and what was expected", () => {
    const expected = "; expected tcp://HOST:PORT or unix:///PATH"
    assert.strictEqual(problem("tcp://example.org"), `parse address "tcp://example.org": no host and port${expected}`)
    assert.strictEqual(problem("localhost:80"), `parse address "localhost:80": neither tcp: nor unix:${expected}`)
    assert.strictEqual(problem(""), `parse address "": neither tcp: nor unix:${expected}`)
    assert.strictEqual(problem("unix://"), `parse address "unix://": the path is empty${expected}`)
    assert.strictEqual(problem("unix:"), `parse address "unix:": the path is empty${expected}`)
    assert.strictEqual(
      problem("unix:///a\0b"),
      `parse address "unix:///a\\u0000b": the path contains a NUL byte${expected}`
    )
    for (const text of [
      "tcp://:80",
      "tcp://a:b:80",
      "tcp://a b:80",
      "tcp://[]:80",
      "tcp://a:1234567",
      "tcp://a:80/x"
    ]) {
      assert.include(problem(text), "no host and port")
    }
  })

  it("of a relative path has no slashes before it; with two, the path would lose its first part", () => {
    assert.deepStrictEqual(parsed("unix:run/app.sock"), Address.unix("run/app.sock"))
    assert.deepStrictEqual(parsed("unix:/run/app.sock"), Address.unix("/run/app.sock"))
    assert.strictEqual(Address.format(Address.unix("run/app.sock")), "unix:run/app.sock")
    assert.strictEqual(Address.format(Address.unix("/run/app.sock")), "unix:///run/app.sock")
    assert.strictEqual(
      problem("unix://run/app.sock"),
      'parse address "unix://run/app.sock": the path after unix:// is not absolute, write unix:///run/app.sock ' +
        "(or unix:run/app.sock if it is relative); expected tcp://HOST:PORT or unix:///PATH"
    )
  })

  it("is written as the URL that is read", () => {
    const ip = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom("localhost", "::1", "fe80::1%eth0"))
    const host = fc.oneof(ip, fc.domain())
    const path = fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom(".", "/", "//", "//a", "a//b", "./a", "unix:a"))
    const address = fc.oneof(
      fc.record({ host, port: fc.integer({ min: 0, max: 65535 }) }).map(({ host, port }) => Address.tcp(host, port)),
      fc
        .tuple(fc.constantFrom("", "/"), path)
        .filter(([, path]) => !path.includes("\0"))
        .map(([root, path]) => Address.unix(`${root}${path}`))
    )
    fc.assert(
      fc.property(address, (address) => {
        assert.deepStrictEqual(parsed(Address.format(address)), address)
        assert.deepStrictEqual(parsed(address), address)
      })
    )
  })

  it("is the same after being written and read again, whatever it was read from", () => {
    const part = fc.constantFrom(
      "tcp:",
      "unix:",
      "//",
      "/",
      "[",
      "]",
      ":",
      "::1",
      "a",
      "127.0.0.1",
      "80",
      " ",
      "%",
      "?"
    )
    fc.assert(
      fc.property(
        fc.constantFrom("", "tcp://", "tcp://[", "unix:", "unix://"),
        fc.array(part, { maxLength: 6 }),
        fc.constantFrom("", ":80", "]:80"),
        (scheme, parts, end) => {
          const read = Effect.runSync(Effect.option(Address.parse(scheme + parts.join("") + end)))
          if (Option.isSome(read)) assert.deepStrictEqual(parsed(Address.format(read.value)), read.value)
        }
      ),
      { numRuns: 2000 }
    )
    assert.include(problem("tcp://[a b]:80"), "no host and port")
  })

  it("is named in messages", () => {
    assert.strictEqual(Address.describe(Address.tcp("127.0.0.1", 80)), "tcp 127.0.0.1:80")
    assert.strictEqual(Address.describe(Address.tcp("::1", 80)), "tcp [::1]:80")
    assert.strictEqual(Address.describe(Address.unix("/run/app.sock")), "unix /run/app.sock")
    assert.strictEqual(Address.describe(Address.unix("")), "unix (unnamed)")
  })
})
