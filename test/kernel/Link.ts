/**
 * The link between the server's namespace and the clients': late, lossy, and to be taken down, for one client's address
 * or as a whole. The server's end is always `srv0`, with nothing behind it that could hide a packet from a capture.
 */
import { sleep, until } from "../../packages/cli/src/Waiting.ts"
import { Child } from "./Child.ts"
import { inside, ip, run } from "./commands.ts"
import type { Namespaces } from "./Namespaces.ts"
import { Process } from "./Process.ts"
import type { LinkKind } from "./probe.ts"
import { type Counts, type End, ends, weather } from "./Weather.ts"

export const serverAddress = "10.80.0.1"

/** Every address in it is the clients', without being given to a device one by one. */
const clients = "10.76.0.0/14"

const askMillis = 20_000

export interface Link {
  /** What the link is made of, for people. */
  readonly description: string
  /** Nothing from or to this client passes any more. */
  down(address: string): Promise<void>
  up(address: string): Promise<void>
  /** The server's own device goes down, as if somebody had pulled the cable. */
  pull(): Promise<void>
  plug(): Promise<void>
  counts(): Promise<Counts>
  /** The process that it is made of, if any. */
  readonly child?: Child
}

const { delayMillis, jitterMillis, lossPercent, reorderPercent } = weather

const sky = `${delayMillis} to ${delayMillis + jitterMillis} ms and ${lossPercent} % loss each way`

export const makeLink = (kind: LinkKind, namespaces: Namespaces, seed: number): Promise<Link> =>
  kind === "netem" ? netem(namespaces) : relay(namespaces, seed)

// The kernel's own ----------------------------------------------------------------------------------------------------

/** Two veth pairs, and a router between them whose both ends delay and lose. */
const netem = async (namespaces: Namespaces): Promise<Link> => {
  const { client, middle, server } = namespaces
  const pair = (name: string, namespace: string, other: string) =>
    run("ip", "link", "add", name, "netns", namespace, "type", "veth", "peer", "name", other, "netns", middle)
  await pair("srv0", server, "mid0")
  await pair("cli0", client, "mid1")
  const device = async (namespace: string, name: string, address: string) => {
    await ip(namespace, "addr", "add", address, "dev", name)
    await ip(namespace, "link", "set", name, "up")
  }
  await device(server, "srv0", `${serverAddress}/30`)
  await device(middle, "mid0", "10.80.0.2/30")
  await device(client, "cli0", "10.81.0.1/30")
  await device(middle, "mid1", "10.81.0.2/30")
  const route = () => ip(server, "route", "replace", clients, "via", "10.80.0.2")
  await route()
  await ip(middle, "route", "add", clients, "via", "10.81.0.1")
  await ip(client, "route", "add", `${serverAddress}/32`, "via", "10.81.0.2")
  await ip(client, "route", "add", "local", clients, "dev", "lo")
  await namespaces.set(middle, "ipv4/ip_forward", "1")
  const devices = ["mid0", "mid1"] as const
  const delay = ["delay", `${delayMillis + jitterMillis / 2}ms`, `${jitterMillis / 2}ms`, "loss", `${lossPercent}%`]
  for (const name of devices) {
    await run("tc", "-n", middle, "qdisc", "add", "dev", name, "root", "netem", ...delay, "limit", "10000")
  }
  const rule = async (change: "add" | "del", address: string) => {
    await ip(middle, "rule", change, "from", address, "blackhole")
    await ip(middle, "rule", change, "to", address, "blackhole")
  }
  return {
    description: `tc netem between two veth pairs, ${sky}`,
    down: (address) => rule("add", address),
    up: (address) => rule("del", address),
    pull: async () => void (await ip(server, "link", "set", "srv0", "down")),
    plug: async () => {
      await ip(server, "link", "set", "srv0", "up")
      await route()
    },
    counts: async () => {
      const counts = { passed: 0, lost: 0 }
      for (const name of devices) {
        const [, packets, dropped] = / (\d+) pkt \(dropped (\d+),/.exec(
          await run("tc", "-s", "-n", middle, "qdisc", "show", "dev", name)
        )!
        counts.passed += Number(packets)
        counts.lost += Number(dropped)
      }
      return counts
    }
  }
}

// Ours ----------------------------------------------------------------------------------------------------------------

/** A device that refuses what it is given ends its socat, so that the last of it must have been given before. */
const quietMillis = 100

/** Two TUN devices, made where their UDP ends are and then moved, and `relay.ts` between those. */
const relay = async (namespaces: Namespaces, seed: number): Promise<Link> => {
  const { client, middle, server } = namespaces
  const child = new Child(inside(middle), "relay.ts", [JSON.stringify(seed), JSON.stringify(weather)])
  await child.ask("hold", null, askMillis)
  const device = async (name: string, namespace: string, { devicePort, relayPort }: End) => {
    const tun = `TUN,tun-name=${name},tun-type=tun,iff-no-pi`
    const udp = `UDP4:127.0.0.1:${relayPort},bind=127.0.0.1:${devicePort},rcvbuf=4194304,sndbuf=4194304`
    const carrier = new Process([...inside(middle), "socat", tun, udp])
    const made = () => ip(middle, "link", "show", "dev", name).then(yes, no)
    if (!(await until(askMillis, made))) throw new Error(`${name}: socat made no device\n${carrier.stderr}`)
    // The descriptor stays with socat, wherever the device goes.
    await ip(middle, "link", "set", name, "netns", namespace)
    await ip(namespace, "link", "set", name, "txqueuelen", "10000")
  }
  await device("srv0", server, ends.server)
  await device("cli0", client, ends.client)
  await ip(server, "addr", "add", serverAddress, "peer", clients, "dev", "srv0")
  await ip(client, "addr", "add", "10.76.0.1", "peer", serverAddress, "dev", "cli0")
  await ip(client, "route", "add", "local", clients, "dev", "lo")
  await ip(server, "link", "set", "srv0", "up")
  await ip(client, "link", "set", "cli0", "up")
  await child.ask("release", null, askMillis)
  return {
    description: `a relay of our own between two TUN devices, ${sky}, ${reorderPercent} % overtaken, seed ${seed}`,
    down: (address) => child.ask("down", address, askMillis),
    up: (address) => child.ask("up", address, askMillis),
    pull: async () => {
      await child.ask("hold", null, askMillis)
      await sleep(quietMillis)
      await ip(server, "link", "set", "srv0", "down")
    },
    plug: async () => {
      await ip(server, "link", "set", "srv0", "up")
      await child.ask("release", null, askMillis)
    },
    counts: () => child.ask<Counts>("counts", null, askMillis),
    child
  }
}

const yes = () => true
const no = () => false
