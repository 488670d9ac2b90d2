// Mutation testing of the two programs that must not be wrong: the close and the drain. `npx -y pnpm@12 mutation`
export default {
  plugins: ["@stryker-mutator/vitest-runner"],
  testRunner: "vitest",
  // Only the core's own tests: they run in virtual time, so that a mutant costs milliseconds.
  vitest: { configFile: "vitest.config.ts", dir: "packages/finwait" },
  mutate: ["packages/finwait/src/internal/{close,drain}*.ts"],
  // The packages are linked into node_modules: in a copy of the workspace the links would lead back to the originals,
  // and no mutant would ever be seen. Stryker restores the files when it is done.
  inPlace: true,
  // A mutant that makes a fiber wait for ever is caught by the time limit.
  timeoutMS: 5_000,
  reporters: ["clear-text", "progress", "html"],
  htmlReporter: { fileName: "reports/mutation.html" },
  thresholds: { high: 90, low: 80, break: 70 }
}
