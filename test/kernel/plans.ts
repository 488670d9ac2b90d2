/** Who takes part in a drain, from where, and when the links go down: decided by the drain's number and a seed. */
import type { Peer } from "./clients.ts"
import { type Limits, patient, strict } from "./Limits.ts"
import { between, random } from "./random.ts"
import { clean, forced, fromMax, type Role, type RoleName, roleOf } from "./Roles.ts"

export type Kind = "clean" | "forced"

export interface Plan {
  readonly group: number
  readonly kind: Kind
  readonly limits: Limits
  readonly peers: ReadonlyArray<Peer>
  /** When the clients' link goes down, after the announcement was asked for. */
  readonly downAfterMillis: number
  /** For how long, where it comes back. */
  readonly downMillis: number
}

/** Each link's first half of an address; the second is the drain's number. So no address comes twice. */
const network: Record<Role["link"], string> = {
  steady: "10.76",
  flapping: "10.77",
  downBefore: "10.78",
  downDuring: "10.79"
}

export const addressOf = (link: Role["link"], group: number): string =>
  // No .0 and no .255, which some take for something else.
  `${network[link]}.${Math.floor(group / 250) + 1}.${(group % 250) + 1}`

export const plan = (group: number, kind: Kind, seed: number, roles = kind === "clean" ? clean : forced): Plan => {
  const next = random(seed + group)
  const peer = (role: RoleName): Peer => ({
    role,
    address: addressOf(roleOf(role).link, group),
    from: between(next, 0, fromMax - 1),
    pauseMillis: between(next, 0, 200)
  })
  return {
    group,
    kind,
    limits: kind === "clean" ? patient : strict,
    peers: roles.map(peer),
    downAfterMillis: between(next, 0, 250),
    downMillis: between(next, 200, 800)
  }
}

/** Whether anybody in it has this link. */
export const uses = ({ peers }: Plan, link: Role["link"]): boolean =>
  peers.some(({ role }) => roleOf(role).link === link)
