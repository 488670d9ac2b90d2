import type { Report } from "@finwait/cli"
import { decode } from "@finwait/cli/profiles/Script"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { page } from "../src/results/page.ts"
import { subjects } from "../src/results/subjects.ts"

const [first, second] = subjects

const report: Report = {
  tool: "finwait check",
  format: 1,
  name: "Finwait, TCP",
  command: [process.execPath, "server.ts", "-p", "/tmp/somewhere", "-g", "daemon off;"],
  profile: "line",
  address: "127.0.0.1:1",
  signal: "SIGTERM",
  startedAt: "2026-11-25T23:00:00.000Z",
  seconds: 90,
  machine: { platform: "linux x64", cpus: 2, node: "v26.10.0" },
  bounds: {},
  requests: {},
  rows: [
    {
      id: "S2a",
      title: "idle after one request",
      meaning: "",
      good: "",
      fix: "",
      verdict: "pass",
      measure: "time to exit",
      unit: "s",
      measured: { least: 0.02, median: 0.02, most: 0.02 },
      bound: "0.5 s",
      plays: [
        {
          verdict: "pass",
          findings: [],
          notes: [],
          exitSeconds: 0.02,
          exitCode: 0,
          exitSignal: null,
          killed: false,
          facts: {},
          kernel: {},
          connections: [],
          stderr: ""
        }
      ]
    }
  ]
}

const written = page({
  checked: [
    { subject: first!, report },
    { subject: second!, report: undefined }
  ],
  versions: [["Node.js", "26.10.0"]],
  options: ["--grace", "30s"],
  notes: "## Notes\n"
})

describe("the page of results", () => {
  it("has a column for a server that is not installed, which says so", () => {
    assert.include(written, "| S2a | idle after one request | 0.02 s | not run: not installed |")
    assert.include(written, `| ${second!.name} | ${second!.about} | not installed |`)
  })

  it("tells how each was started, without paths of a machine", () => {
    assert.include(written, "`node server.ts -p folder -g 'daemon off;'`")
    assert.notInclude(written, process.execPath)
    assert.notInclude(written, "/tmp")
  })

  it("ends with what somebody has written", () => {
    assert.isTrue(written.endsWith("## Notes\n"))
  })

  it("is about subjects of different names", () => {
    for (const key of ["id", "name"] as const) {
      assert.strictEqual(new Set(subjects.map((subject) => subject[key])).size, subjects.length)
    }
  })

  it("has a script of the job server's lines", async () => {
    const file = new URL("../src/results/lines.json", import.meta.url)
    assert.deepEqual(Object.keys(await Effect.runPromise(decode(readFileSync(file, "utf8")))), [
      "quick",
      "slow",
      "large",
      "upload",
      "finalizer",
      "drop"
    ])
  })
})
