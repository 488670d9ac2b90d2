import * as net from "node:net"
import * as Protocol from "../Protocol.ts"
import * as Limits from "../Limits.ts"
const L = Limits.fromEnv(process.env)
const open = new Set<C>()
let draining = false, forced = 0, signals = 0
class C {
  busy = false; text = ""; fin = 0; s: net.Socket; closing = false
  constructor(s: net.Socket) {
    this.s = s; s.setEncoding("latin1")
    s.on("data", (t: string) => { if (this.closing) return; this.text += t; void this.work() })
    s.on("end", () => this.close()); s.on("error", () => {}); s.on("close", () => open.delete(this))
  }
  reset() { if (this.s.destroyed) return; forced++; this.s.resetAndDestroy() }
  close() {
    if (this.closing) return
    this.closing = true
    setTimeout(() => {
      this.s.end(); this.s.resume()
      setTimeout(() => this.reset(), L.CLOSE_DEADLINE_MS).unref()
      this.s.once("finish", () => { setTimeout(() => this.reset(), L.LINGER_IDLE_MS).unref() })
    }, this.fin)
  }
  async work() {
    if (this.busy) return
    this.busy = true
    let e: number
    while ((e = this.text.indexOf("\n")) >= 0) {
      const r = Protocol.parse(this.text.slice(0, e)); this.text = this.text.slice(e + 1)
      if (!r) break
      const more = await this.answer(r)
      if (!more || (draining && !this.text)) return this.close()
    }
    this.busy = false
  }
  async answer({ verb, amount }: Protocol.Request): Promise<boolean> {
    const w = (x: any) => this.s.write(x)
    switch (verb) {
      case "WORK": await new Promise((r) => setTimeout(r, amount)); w(`DONE ${amount}\n`); return true
      case "GET": w(`SIZE ${amount}\n`); await new Promise((r) => this.s.write(Protocol.body(amount), r)); return true
      case "REJECT": w(`SIZE ${amount}\n`); w(Protocol.body(amount)); return false
      case "DROP": w(Protocol.body(amount)); return false
      case "FINALIZER": this.fin = amount; w("OK\n"); return true
      case "BLOCK": Protocol.blockLoop(amount); w("OK\n"); return true
      case "STAT": w(`OPEN ${open.size}\n`); return true
    }
  }
}
const server = net.createServer({ allowHalfOpen: true }, (s) => { open.add(new C(s)); if (draining) late() })
const late = () => {}
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ listening: `tcp://127.0.0.1:${(server.address() as any).port}` })))
process.on("SIGTERM", async () => {
  if (signals++ > 0) { for (const c of open) c.reset(); setTimeout(() => process.exit(9), 50); return }
  for (let i = 0; i < 100; i++) await new Promise((r) => setImmediate(r))
  server.close(() => process.exit(forced ? 1 : 0))
  await new Promise((r) => setTimeout(r, 10))
  draining = true
  for (const c of open) if (!c.busy && !c.text) c.close()
  setTimeout(() => { for (const c of open) c.close() }, L.DRAIN_MS).unref()
  setTimeout(() => { for (const c of open) c.reset() }, L.DRAIN_MS + L.CLOSE_MS).unref()
})
