import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts", "examples/*/test/**/*.test.ts"],
    // Blocks of the documentation are run by test/readme.test.ts, never on their own.
    exclude: ["**/node_modules/**", "**/dist/**", "test/.generated/**"],
    // Tests send signals, hold sockets and block event loops: one process per file, so that none can hurt another.
    pool: "forks",
    // Virtual time needs none of it, real sockets answer in milliseconds: whoever waits for 15 seconds hangs.
    testTimeout: 15_000,
    hookTimeout: 15_000,
    teardownTimeout: 5_000,
    // A flaky test is a bug to find, not one to try again.
    retry: 0,
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts"],
      // It works in processes of its own, which v8 does not see from here; and it is a measuring tool, not published.
      exclude: ["packages/scorecard/**"],
      reporter: ["text", "html"],
      reportsDirectory: "coverage",
      thresholds: { lines: 95, branches: 90 }
    }
  }
})
