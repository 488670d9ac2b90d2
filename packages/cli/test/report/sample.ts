/** Reports for tests: what is not said is as it is where all went well. */
import type { Connection, Finding, Play, Report, Row } from "../../src/report/Report.ts"

type Event = Connection["events"][number]

export const event = (at: number, what: string, bytes?: number): Event =>
  bytes === undefined ? { at, what } : { at, what, bytes }

export const finding = (text: string, short: string, level: Finding["level"] = "fail"): Finding => ({
  level,
  text,
  short
})

/** It asked one second before the signal, and had its answer and a FIN one second after it. */
export const connection = (given: Partial<Connection> = {}): Connection => ({
  group: "in flight",
  expectedBytes: 1200,
  receivedBytes: 1200,
  whole: true,
  instead: [],
  ending: "FIN",
  seen: ["FIN"],
  toldMillis: 1012,
  trouble: null,
  events: [
    event(-1004, "connected"),
    event(-1003, "ready"),
    event(-1002, "asked", 78),
    event(1008, "heard", 1200),
    event(1012, "FIN"),
    event(1012, "answered")
  ],
  ...given
})

export const play = (given: Partial<Play> = {}): Play => ({
  verdict: "pass",
  findings: [],
  notes: [],
  exitSeconds: 1.03,
  exitCode: 0,
  exitSignal: null,
  killed: false,
  facts: {},
  kernel: {},
  connections: [connection()],
  stderr: "",
  ...given
})

/** Its plays have its verdict. */
export const row = (given: Partial<Row> = {}): Row => ({
  id: "S1",
  title: "in-flight work",
  meaning: "A deploy in the middle of requests: each of them is somebody who waits.",
  good: "The whole answer, then FIN, then exit.",
  fix: "Stop accepting, wait for what is under way, and close then.",
  verdict: "pass",
  measure: "time to exit",
  unit: "s",
  measured: { least: 1.03, median: 1.03, most: 1.03 },
  bound: "1.3 s",
  plays: [play({ verdict: given.verdict ?? "pass" })],
  ...given
})

export const report = (given: Partial<Report> = {}): Report => ({
  tool: "finwait check",
  format: 1,
  name: "orders",
  command: ["node", "server.js"],
  profile: "http1",
  address: "127.0.0.1:8080",
  signal: "SIGTERM",
  startedAt: "2026-11-25T22:10:39.482Z",
  seconds: 31.2,
  machine: { platform: "linux", cpus: 2, node: "v26.10.0" },
  bounds: { exitSeconds: 5, jobSeconds: 2 },
  requests: { quick: "GET /", slow: "GET /slow" },
  rows: [row()],
  ...given
})

const megabyte = 1024 * 1024

const stalled = connection({
  group: "stalled",
  expectedBytes: 64 * megabyte,
  receivedBytes: 52 * megabyte,
  whole: false,
  ending: "RST",
  seen: ["RST"],
  toldMillis: 1504,
  events: [
    event(-420, "connected"),
    event(-419, "ready"),
    event(-418, "asked", 80),
    event(-400, "heard", 65_536),
    event(-400, "stopped reading"),
    event(1600, "reads"),
    event(1604, "heard", 52 * megabyte - 65_536),
    event(1640, "RST")
  ]
})

const slowReader = connection({
  group: "slow reader",
  expectedBytes: 64 * megabyte,
  receivedBytes: 64 * megabyte,
  toldMillis: 3240,
  events: [
    event(-120, "connected"),
    event(-119, "ready"),
    event(-118, "asked", 80),
    ...Array.from({ length: 64 }, (_, index) => event(-90 + index * 52, "heard", megabyte)),
    event(3240, "FIN"),
    event(3241, "answered")
  ]
})

/** It turns to the answer when it has said all that it had to say. */
const uploading = connection({
  group: "uploading",
  toldMillis: 6,
  events: [
    event(-1400, "connected"),
    event(-1399, "asked", 140),
    ...Array.from({ length: 30 }, (_, index) => event(-1380 + index * 30, "said", 65_536)),
    event(-450, "reads"),
    event(-449, "heard", 165),
    event(6, "FIN"),
    event(6, "answered")
  ]
})

const idle = (index: number) =>
  connection({
    group: "idle",
    expectedBytes: 0,
    receivedBytes: 0,
    toldMillis: 18 + (index % 60),
    events: [event(-2000 + index, "connected"), event(-1990 + index, "ready"), event(18 + (index % 60), "FIN")]
  })

/** Cut off in the middle of its answer, each somewhere else. */
const cut = (index: number) =>
  connection({
    expectedBytes: 200_000,
    receivedBytes: 8_000 + 1_700 * index,
    whole: false,
    ending: "RST",
    seen: ["RST"],
    toldMillis: 24 + index,
    events: [
      event(-900, "connected"),
      event(-899, "ready"),
      event(-898, "asked", 96),
      event(-300, "heard", 8_000),
      event(24 + index, "RST")
    ]
  })

/** A server as there are many: most of it is good, and what is not is of every kind. */
export const mixed = (given: Partial<Report> = {}): Report =>
  report({
    name: "orders, before the fix",
    command: ["node", "--enable-source-maps", "dist/server.js", "--port", "8080", "--greeting", "good day"],
    rows: [
      row({
        verdict: "fail",
        measured: { least: 0.02, median: 0.03, most: 0.06 },
        plays: [
          play({
            verdict: "fail",
            findings: [finding("24 of 24 in flight: answer not whole (643 kB of 4.6 MB)", "lost 24")],
            exitSeconds: 0.062,
            exitCode: 143,
            connections: Array.from({ length: 24 }, (_, index) => cut(index)),
            kernel: { resetsSent: 24 },
            stderr:
              "Listening on 8080\n\u001b[31mError: aborted\u001b[0m\n    at connResetException (node:internal/errors:720:14)\n    at Socket.socketCloseListener (node:_http_client:460:25)\n"
          }),
          play({ exitSeconds: 1.02, facts: { answered: 24 } }),
          play({ exitSeconds: 1.04 })
        ]
      }),
      row({
        id: "S2a",
        title: "idle after one request",
        bound: "0.2 s",
        measured: { least: 0.09, median: 0.09, most: 0.09 },
        plays: [play({ exitSeconds: 0.09, connections: Array.from({ length: 992 }, (_, index) => idle(index)) })]
      }),
      row({
        id: "S2d",
        title: "idle WebSocket that has been used",
        bound: "0.2 s",
        verdict: "warn",
        measured: { least: 0.61, median: 0.61, most: 0.61 },
        plays: [
          play({
            verdict: "warn",
            findings: [
              finding(
                "It was told close 1006 after GOAWAY, and had to guess whether to come back.",
                "late word",
                "warn"
              )
            ],
            notes: ["The peer took 0.50 s to answer, on purpose."],
            exitSeconds: 0.61,
            connections: [
              connection({
                group: "upgraded",
                seen: ["GOAWAY", "close 1001", "close_notify", "FIN"],
                toldMillis: 12,
                events: [
                  event(-310, "connected"),
                  event(-296, "ready"),
                  event(-290, "asked", 24),
                  event(-270, "heard", 1200),
                  event(12, "GOAWAY"),
                  event(130, "close 1001"),
                  event(500, "answered"),
                  event(590, "close_notify"),
                  event(592, "FIN")
                ]
              }),
              connection({
                group: "half sent",
                expectedBytes: 0,
                receivedBytes: 0,
                seen: ["FIN", "RST"],
                ending: "RST",
                toldMillis: 300,
                events: [event(-200, "connected"), event(-190, "half"), event(300, "FIN"), event(304, "RST")]
              }),
              connection({
                group: "latecomer",
                expectedBytes: 0,
                receivedBytes: 0,
                ending: "refused",
                seen: ["refused"],
                toldMillis: 250,
                events: [event(250, "refused")]
              }),
              connection({
                group: "busy",
                receivedBytes: 0,
                whole: false,
                instead: ["503"],
                events: [
                  event(-100, "connected"),
                  event(90, "asked", 78),
                  event(94, "heard", 180),
                  event(96, "Connection: close"),
                  event(97, "FIN")
                ]
              })
            ]
          })
        ]
      }),
      row({
        id: "S3",
        title: "stalled peer, 64 MB queued",
        bound: "1.5 s",
        verdict: "fail",
        measured: { least: 8, median: 8, most: 8 },
        plays: [
          play({
            verdict: "fail",
            findings: [
              finding("The process was still running 8.0 s after the signal, and was killed.", "hangs"),
              finding("1 of 2 stalled: never told that the connection ends", "1 untold")
            ],
            exitSeconds: 8,
            exitCode: null,
            exitSignal: "SIGKILL",
            killed: true,
            connections: [
              stalled,
              connection({
                ...stalled,
                receivedBytes: 65_536,
                ending: "open",
                seen: [],
                toldMillis: null,
                events: stalled.events.slice(0, 5)
              })
            ]
          })
        ]
      }),
      row({
        id: "S3b",
        title: "slow reader, 64 MB at 20 MB/s",
        bound: "3.5 s",
        measured: { least: 3.26, median: 3.26, most: 3.26 },
        plays: [play({ exitSeconds: 3.26, connections: [slowReader] })]
      }),
      row({
        id: "S4",
        title: "answer during an upload",
        bound: "none",
        measure: "answers lost",
        unit: "",
        measured: { least: 0, median: 0, most: 0 },
        plays: [play({ exitSeconds: 0.012, connections: [uploading] })]
      }),
      row({
        id: "S7",
        title: "requests in the accept backlog",
        bound: "all answered",
        measure: "answers lost",
        unit: "",
        measured: { least: 0, median: 0, most: 0 }
      }),
      row({
        id: "S6",
        title: "second signal while stopping",
        verdict: "not run",
        measured: null,
        plays: [
          play({
            verdict: "not run",
            notes: ["No request is known that takes longer than 1 s: name one, and this can be played."],
            exitSeconds: null,
            exitCode: null,
            connections: []
          })
        ]
      }),
      row({
        id: "S10",
        title: "idle HTTP/2 session",
        verdict: "n/a",
        measured: null,
        plays: [
          play({
            verdict: "n/a",
            notes: ["The server speaks no HTTP/2."],
            exitSeconds: null,
            exitCode: null,
            connections: []
          })
        ]
      })
    ],
    ...given
  })
