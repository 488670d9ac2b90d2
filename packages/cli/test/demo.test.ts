/** The demo, as a person starts it. */
import { assert, it } from "vitest"
import { run } from "./support/command.ts"

it("shows Effect's own server and Finwait's beside one another", { timeout: 180_000 }, async () => {
  const { code, stderr, stdout } = await run("demo")
  assert.strictEqual(code, 0, stdout + stderr)
  assert.notInclude(stdout + stderr, "\u001b")
  for (const line of stdout.split("\n")) assert.isAtMost(line.length, 100, line)
  assert.match(stdout, /S1 +work in flight +✗ lost 1 +✓ /)
  assert.match(stdout, /S3 +client that stopped reading +✗ .*hangs +✓ /)
  assert.match(stdout, /Finwait: 16 passed$/m)
})
