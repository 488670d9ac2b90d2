/** A vitest reporter that tells the test command how many tests there were, and which failed. */
import type { Reporter, TestModule } from "vitest/node"

export interface Counts {
  passed: number
  failed: number
  skipped: number
  /** What failed, each with the beginning of its error: the end of a long run repeats it. */
  failures: Array<string>
}

export const isCounts = (u: unknown): u is Counts =>
  typeof u === "object" && u !== null && "passed" in u && "failed" in u && "skipped" in u && "failures" in u

const beginning = (error: unknown) => {
  const message = typeof error === "object" && error !== null && "message" in error ? error.message : error
  return String(message).split("\n").slice(0, 5).join("\n    ")
}

export const count = (modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): Counts => {
  // An error outside of any test belongs to none, and must not be lost for that.
  const counts: Counts = {
    passed: 0,
    failed: unhandledErrors.length,
    skipped: 0,
    failures: unhandledErrors.map((error) => `outside of any test: ${beginning(error)}`)
  }
  for (const module of modules) {
    let failed = 0
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === "passed") counts.passed++
      else if (state === "skipped") counts.skipped++
      // A test that is still pending at the end never got to run: its file's process died.
      else {
        failed++
        const errors = (test.result().errors ?? []).map(beginning).join("\n    ")
        counts.failures.push(`${module.relativeModuleId} > ${test.fullName}\n    ${errors || state}`)
      }
    }
    // A file that throws on load, or whose hooks throw, has failed even if none of its tests has.
    if (failed === 0 && module.state() === "failed") {
      failed = 1
      counts.failures.push(`${module.relativeModuleId}\n    ${module.errors().map(beginning).join("\n    ")}`)
    }
    counts.failed += failed
  }
  return counts
}

export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>) {
    process.send?.(count(modules, unhandledErrors))
  }
}
