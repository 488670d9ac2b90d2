import { assert, describe, it } from "vitest"
import { Program } from "../../../test/tools/Program.ts"

describe("a process that moves 2 GiB", () => {
  it("has its buffers freed by scavenges: V8 does not mark its heap for every 64 MiB", async () => {
    const program = new Program(new URL("fixtures/pours.ts", import.meta.url), { env: { GIBIBYTES: "2" } })
    const { code } = await program.ended(60_000)
    assert.strictEqual(code, 0, program.stderr)
    const { major, minor } = program.said[0] as { major: number; minor: number }
    // 32 times 64 MiB have gone by. On a machine that is starved V8's own threads free some of them late.
    assert.isBelow(major, 16, `and ${minor} scavenges`)
    assert.isAbove(minor, 32)
  }, 65_000)
})
