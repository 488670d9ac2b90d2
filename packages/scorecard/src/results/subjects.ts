/** The servers that are checked, and how each of them is started. */
import { freePort } from "@finwait/cli/check/freePort"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { inFolder } from "./nginx.ts"
import { backend } from "./programs.ts"

/** What a check of it needs. */
export interface Started {
  readonly command: ReadonlyArray<string>
  readonly env?: NodeJS.ProcessEnv
  /** Of `finwait check`. */
  readonly options: ReadonlyArray<string>
  readonly end?: () => Promise<void>
}

export interface Subject {
  readonly id: string
  /** Above its column. */
  readonly name: string
  readonly about: string
  /** The program without which it cannot be checked. */
  readonly program?: "python3" | "nginx" | "haproxy"
  /** `folder` is its own, and empty. */
  readonly start: (folder: string) => Promise<Started>
}

/** What all of them know as limits, where they have such notions: the environment of the scorecard's own servers. */
export const limits = {
  DRAIN_MS: "10000",
  CLOSE_MS: "2000",
  LINGER_IDLE_MS: "2000",
  LINGER_MS: "5000",
  CLOSE_DEADLINE_MS: "10000"
}

/** Relative to the repository, where everything is run. */
const here = "packages/scorecard/src"

const jobPaths = "slow=/WORK/2000,large=/GET/67108864,upload=/REJECT/204800,quick=/WORK/0"
const ownPaths = "slow=/slow,large=/large,upload=/upload,quick=/quick"
const http = ["--http", jobPaths]
const lines = ["--profile", "line", "--script", `${here}/results/lines.json`]

const subjectFile = (name: string): string => `${here}/subjects/${name}.ts`

const own = (id: string, name: string, about: string, options: ReadonlyArray<string>): Subject => ({
  id,
  name,
  about,
  start: async () => ({ command: [process.execPath, subjectFile(id)], env: limits, options })
})

const python: Subject = {
  id: "python",
  name: "Python http.server",
  about: "`ThreadingHTTPServer` of the standard library, which does nothing about signals",
  program: "python3",
  start: async () => ({
    command: ["python3", `${here}/results/http_server.py`],
    options: ["--http", ownPaths]
  })
}

const nginx: Subject = {
  id: "nginx",
  name: "nginx",
  about:
    "static files, `SIGQUIT`, its default timeouts, no `worker_shutdown_timeout`; a small file at a `limit_rate` is what is slow, a `POST` to a file is what is refused",
  program: "nginx",
  start: async (folder) => {
    const files = join(folder, "files")
    await mkdir(files)
    const port = await freePort("127.0.0.1")
    return {
      command: await inFolder(folder, files, port),
      options: ["--port", String(port), "--signal", "SIGQUIT", "--http", ownPaths]
    }
  }
}

const haproxy: Subject = {
  id: "haproxy",
  name: "HAProxy",
  about:
    "in front of Finwait's `NodeHttpServer`, which goes on; `SIGUSR1` (soft stop), the timeouts of Debian's own file, no `hard-stop-after`",
  program: "haproxy",
  start: async () => {
    const { end, port } = await backend(subjectFile("finwait-http"), { ...process.env, ...limits })
    return {
      command: ["haproxy", "-db", "-f", `${here}/results/haproxy.cfg`],
      env: { BACKEND: port },
      options: ["--signal", "SIGUSR1", ...http],
      end
    }
  }
}

export const subjects: ReadonlyArray<Subject> = [
  own("finwait", "Finwait, TCP", "Finwait's `Server` on its `NodeNetwork`", lines),
  own("finwait-socket", "Finwait, NodeSocketServer", "Finwait's in place of the next, with other imports only", lines),
  own("effect", "Effect, NodeSocketServer", "Effect's own server of TCP, and its `runMain`", lines),
  own("finwait-http", "Finwait, NodeHttpServer", "Finwait's in place of the next, with other imports only", http),
  own("effect-http", "Effect, NodeHttpServer", "Effect's own server of HTTP with its router, and its `runMain`", http),
  own("node-http", "node:http", "`server.close()` at the signal, and nothing else", http),
  own("node-http-terminator", "http-terminator", "on `node:http`", http),
  own("node-stoppable", "stoppable", "on `node:http`", http),
  own("node-terminus", "terminus", "`@godaddy/terminus` on `node:http`, without express", http),
  own("fastify", "fastify", "with `close-with-grace`", http),
  python,
  nginx,
  haproxy
]
