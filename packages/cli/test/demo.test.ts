/** The demo, as a person starts it. */
import { spawn } from "node:child_process"
import { assert, it } from "vitest"

it("shows Effect's own server and Finwait's beside one another", { timeout: 180_000 }, async () => {
  const { NODE_OPTIONS: _options, VITEST: _runner, ...env } = process.env
  const main = new URL("../src/main.ts", import.meta.url).pathname
  const child = spawn(process.execPath, [main, "demo"], { env, stdio: ["ignore", "pipe", "pipe"] })
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (text) => (stdout += String(text)))
  child.stderr.on("data", (text) => (stderr += String(text)))
  const code = await new Promise((resolve) => child.once("close", resolve))
  assert.strictEqual(code, 0, stdout + stderr)
  assert.notInclude(stdout + stderr, "\u001b")
  for (const line of stdout.split("\n")) assert.isAtMost(line.length, 100, line)
  assert.match(stdout, /S1 +work in flight +✗ lost 1 +✓ /)
  assert.match(stdout, /S3 +client that stopped reading +✗ .*hangs +✓ /)
  assert.match(stdout, /Finwait: 16 passed$/m)
})
