/** Whether the suite can run here, and over which link. */
import { existsSync } from "node:fs"
import { exists, ip, run } from "./commands.ts"
import { Namespaces } from "./Namespaces.ts"

export type LinkKind = "netem" | "relay"

export type Probed = { readonly link: LinkKind } | { readonly missing: string }

export const probe = async (): Promise<Probed> => {
  if (process.platform !== "linux") return { missing: "Linux" }
  if (process.getuid!() !== 0) return { missing: "root" }
  for (const tool of ["ip", "tcpdump"]) if (!(await exists(tool))) return { missing: `${tool}, the command` }
  let namespaces: Namespaces
  try {
    namespaces = await Namespaces.make()
  } catch (error) {
    return { missing: `the right to make a network namespace (${(error as Error).message})` }
  }
  try {
    return await probeLink(namespaces.middle)
  } finally {
    await namespaces.remove()
  }
}

const probeLink = async (namespace: string): Promise<Probed> => {
  const works = async (attempt: Promise<unknown>) =>
    attempt.then(
      () => true,
      () => false
    )
  const netem =
    (await works(run("tc", "-n", namespace, "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"))) &&
    (await works(ip(namespace, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"))) &&
    (await works(ip(namespace, "rule", "add", "from", "10.78.0.1", "blackhole")))
  if (netem) return { link: "netem" }
  if (!(await exists("socat"))) return { missing: "tc netem in the kernel, or socat, the command" }
  if (!existsSync("/dev/net/tun")) return { missing: "tc netem in the kernel, or /dev/net/tun" }
  if (!(await works(ip(namespace, "tuntap", "add", "dev", "probe2", "mode", "tun")))) {
    return { missing: "tc netem in the kernel, or the right to make a TUN device" }
  }
  return { link: "relay" }
}
