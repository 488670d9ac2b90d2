/**
 * A chat room: what one says, everybody hears. `/nick ada` takes a name. On SIGTERM what was said still reaches
 * everybody, then the room says goodbye.
 *
 *     PORT=7000 node main.ts            # or SOCKET=/tmp/chat.sock; then: nc 127.0.0.1 7000
 */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as NodeProcess from "@finwait/node/NodeProcess"
import { Config, Console, Effect, Layer, Logger } from "effect"
import * as Address from "finwait/Address"
import type { Connection } from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Server from "finwait/Server"

const listen = Config.String("SOCKET").pipe(
  Config.map((path) => `unix://${path}`),
  Config.orElse(() =>
    Config.Int("PORT").pipe(
      Config.withDefault(7000),
      Config.map((port) => `tcp://127.0.0.1:${port}`)
    )
  )
)

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

/** Only the room's own end is announced; who has said goodbye first knows why the connection ends. */
const farewell = (connection: Connection) =>
  connection.isDraining ? connection.write("* the server is going down, goodbye\n") : Effect.void

const chat = (listen: string) =>
  Server.layer({
    listen,
    handler: member,
    close: { farewell },
    onListening: (address) => Console.log(JSON.stringify({ listening: Address.format(address) })),
    onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
  })

const main = Effect.flatMap(listen, (listen) => Layer.launch(chat(listen))).pipe(
  Effect.provide(NodeNetwork.layer),
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
