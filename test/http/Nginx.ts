/** Debian's nginx before two upstreams: a child of its own, in a temporary folder, on loopback, and nobody's root. */
import { spawnSync } from "node:child_process"
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Process } from "../kernel/Process.ts"
import { boundMillis } from "./Drained.ts"

/** Where Debian has it, which not everybody's path leads to. */
const found = spawnSync("sh", ["-c", "PATH=$PATH:/usr/sbin; command -v nginx"], { encoding: "utf8" })

export const nginxPath = found.status === 0 ? found.stdout.trim() : undefined

const isRoot = process.getuid?.() === 0
const nobody = 65_534

export interface Upstreams {
  readonly ports: ReadonlyArray<number>
  /** `proxy_next_upstream`: what is asked of the next one when one fails. */
  readonly next: "off" | "error timeout"
}

/**
 * What everybody has who keeps connections to upstreams alive. But for `max_fails=0`: with one failure as its limit nginx
 * does not use an instance for ten seconds after it was refused, and would find neither of two that were replaced in less.
 */
const configuration = (port: number, { next, ports }: Upstreams): string => `
daemon off;
worker_processes 2;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream instances {
${ports.map((port) => `    server 127.0.0.1:${port} max_fails=0;`).join("\n")}
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port};
    # Its own connections to the clients are not what is looked at here.
    keepalive_requests 1000000000;
    location / {
      proxy_pass http://instances;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      client_body_buffer_size 64k;
      proxy_next_upstream ${next};
    }
  }
}
`

/** What it says of an upstream, and how often it said it. */
const complaints = {
  refused: /connect\(\) failed \(111/g,
  reset: /\(104: Connection reset by peer\)/g,
  closed: /prematurely closed connection/g,
  timedOut: /timed out/g,
  noneLeft: /no live upstreams/g
}

export type Complaints = Record<keyof typeof complaints, number>

export class Nginx {
  readonly port: number
  private readonly folder: string
  private readonly file: string
  private readonly process: Process

  private constructor(port: number, upstreams: Upstreams) {
    this.port = port
    this.folder = mkdtempSync(join(tmpdir(), "finwait-nginx-"))
    this.file = join(this.folder, "nginx.conf")
    this.configure(upstreams)
    if (isRoot) chownSync(this.folder, nobody, nobody)
    const user = isRoot ? [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"] : []
    // It is gone when we are.
    const through = ["setpriv", "--pdeathsig=TERM", ...user]
    // What goes wrong before it has read its configuration goes to standard error as well.
    this.process = new Process([...through, nginxPath!, "-p", this.folder, "-c", this.file, "-e", "stderr"])
  }

  static async start(port: number, upstreams: Upstreams): Promise<Nginx> {
    const nginx = new Nginx(port, upstreams)
    await nginx.process.says("start worker process", boundMillis)
    return nginx
  }

  private configure(upstreams: Upstreams): void {
    writeFileSync(this.file, configuration(this.port, upstreams))
  }

  /** Has it use others from now on. It goes on with what it has begun, on the connections that it has. */
  use(upstreams: Upstreams): void {
    this.configure(upstreams)
    process.kill(Number(readFileSync(join(this.folder, "nginx.pid"), "utf8")), "SIGHUP")
  }

  get complaints(): Complaints {
    const { stderr } = this.process
    const counts = Object.entries(complaints).map(([name, what]) => [name, [...stderr.matchAll(what)].length])
    return Object.fromEntries(counts) as Complaints
  }

  get said(): string {
    return this.process.stderr
  }

  async stop(): Promise<void> {
    await this.process.stop(boundMillis)
    rmSync(this.folder, { recursive: true, force: true })
  }
}
