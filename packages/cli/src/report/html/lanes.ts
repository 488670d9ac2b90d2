/** Which connections of a play are drawn: equal ones once, the worst first, and no more than a person looks at. */
import type { Connection, Play } from "../Report.ts"
import * as story from "../story.ts"

/** Connections that fared alike. */
export interface Lane {
  /** `992 × idle`. */
  readonly who: string
  readonly outcome: string
  readonly ending: string
  /** Of several, the one that was told last. */
  readonly drawn: Connection
  readonly count: number
}

export interface Lanes {
  readonly drawn: ReadonlyArray<Lane>
  /** What there was besides, with less said of it. */
  readonly rest: ReadonlyArray<string>
  readonly restCount: number
}

/** All of it in words; of several, of the one that is drawn. */
export const storyOf = ({ count, drawn, who }: Lane): string =>
  story.storyOf(drawn, count === 1 ? who : `${who}, the last that was told`)

const lanesMax = 12
/** Of one kind, so that it does not keep the others out of sight. */
const kindMax = 4

export const lanesOf = ({ connections }: Play): Lanes => {
  const groups = [...gathered(connections, alike).values()].toSorted(worstFirst)
  const kinds = new Map<string, number>()
  const shown = groups
    .filter(([first]) => {
      const kind = first === undefined ? "" : endedAlike(first)
      const count = (kinds.get(kind) ?? 0) + 1
      kinds.set(kind, count)
      return count <= kindMax
    })
    .slice(0, lanesMax)
  const rest = groups.filter((group) => !shown.includes(group)).flat()
  return {
    drawn: shown.map(laneOf),
    rest: [...gathered(rest, endedAlike).values()].map((group) => `${whoOf(group)}: ${story.endingOf(group)}`),
    restCount: rest.length
  }
}

type Group = ReadonlyArray<Connection>

const gathered = (connections: Group, key: (connection: Connection) => string): Map<string, Array<Connection>> => {
  const groups = new Map<string, Array<Connection>>()
  for (const connection of connections) {
    const name = key(connection)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [connection])
    else group.push(connection)
  }
  return groups
}

const endedAlike = ({ ending, group, instead, seen, trouble, whole }: Connection): string =>
  JSON.stringify([group, whole, ending, seen, instead, trouble])

/** What they had counts as well, as exactly as it is told. */
const alike = (connection: Connection): string => `${endedAlike(connection)} ${story.outcomeOf(connection)}`

const laneOf = (group: Group): Lane => {
  const drawn = group.toSorted((one, other) => lateness(other) - lateness(one))[0]!
  return {
    who: whoOf(group),
    outcome: story.outcomeOf(drawn),
    ending: story.endingOf(group),
    drawn,
    count: group.length
  }
}

const whoOf = (group: Group): string => {
  const name = group[0]?.group ?? ""
  return group.length === 1 ? name : `${group.length} × ${name}`
}

/** Who was never told comes last of all. */
const lateness = ({ toldMillis }: Connection): number => toldMillis ?? Number.MAX_VALUE

const worstFirst = ([one]: Group, [other]: Group): number =>
  one === undefined || other === undefined
    ? 0
    : badness(other) - badness(one) ||
      story.lostBytesOf(other) - story.lostBytesOf(one) ||
      lateness(other) - lateness(one)

const badness = ({ ending, trouble, whole }: Connection): number =>
  (whole ? 0 : 8) + (trouble === null ? 0 : 4) + { RST: 3, open: 2, FIN: 1, refused: 0 }[ending]
