/**
 * A chat room, wherever it is: on the operating system's network, or on a simulated one in a test.
 */
import { Effect, Layer } from "effect"
import type { Connection } from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Server from "finwait/Server"

/** Only the room's own end is announced; who has said goodbye first knows why the connection ends. */
const farewell = (connection: Connection) =>
  connection.isDraining ? connection.write("* the server is going down, goodbye\n") : Effect.void

/** One room: who is in it, and what they do. */
const make = () => {
  const members = new Set<Connection>()
  let guests = 0

  /** Who speaks waits for the slowest listener. One that has not read for two seconds is dropped, or all would wait. */
  const say = (line: string) =>
    Effect.forEach(
      members,
      (member) => {
        const drop = Effect.forkDetach(member.abort)
        return member.write(`${line}\n`).pipe(
          Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => drop }),
          // Whose connection is broken or closing has left, or is about to.
          Effect.ignore
        )
      },
      { concurrency: "unbounded", discard: true }
    )

  const member = Effect.fnUntraced(function* (connection: Connection) {
    let name = `guest-${++guests}`
    const rename = (nick: string) => {
      const before = name
      name = nick
      return say(`* ${before} is now ${name}`)
    }
    const leave = Effect.suspend(() => {
      members.delete(connection)
      return connection.isDraining ? Effect.void : say(`* ${name} left`)
    })

    members.add(connection)
    yield* say(`* ${name} joined`).pipe(
      Effect.andThen(
        Framing.forEach(Framing.lines(connection), (line) => {
          const nick = /^\/nick (\S+)$/.exec(line)?.[1]
          return nick === undefined ? say(`${name}: ${line}`) : rename(nick)
        })
      ),
      Effect.ensuring(leave)
    )
  })

  return member
}

/** What a room may be told beside where it is. */
export type Options = Pick<Server.Options, "listen" | "onListening" | "onDrained" | "drain">

/** A server of one room. */
export const room = (options: Options) =>
  Layer.suspend(() => Server.layer({ ...options, handler: make(), close: { farewell } }))
