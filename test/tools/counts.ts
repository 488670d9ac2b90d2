/** A vitest reporter that tells the test command how many tests there were. */
import type { Reporter, TestModule } from "vitest/node"

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

export const isCounts = (u: unknown): u is Counts =>
  typeof u === "object" && u !== null && "passed" in u && "failed" in u && "skipped" in u

export const count = (modules: ReadonlyArray<TestModule>, unhandledErrors: number): Counts => {
  // An error outside of any test belongs to none, and must not be lost for that.
  const counts: Counts = { passed: 0, failed: unhandledErrors, skipped: 0 }
  for (const module of modules) {
    let failed = 0
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === "passed") counts.passed++
      else if (state === "skipped") counts.skipped++
      // A test that is still pending at the end never got to run: its file's process died.
      else failed++
    }
    // A file that throws on load, or whose hooks throw, has failed even if none of its tests has.
    counts.failed += failed === 0 && module.state() === "failed" ? 1 : failed
  }
  return counts
}

export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>) {
    process.send?.(count(modules, unhandledErrors.length))
  }
}
