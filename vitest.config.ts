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
    // For the coverage Node runs the packages' sources itself, as it does in the processes that tests start.
    ...(process.env["FINWAIT_COVERAGE"] === undefined
      ? {}
      : {
          server: { deps: { external: [/\/packages\/[^/]+\/src\//] } },
          setupFiles: ["test/tools/takeCoverage.ts"]
        }),
    // A flaky test is a bug to find, not one to try again.
    retry: 0
  }
})
