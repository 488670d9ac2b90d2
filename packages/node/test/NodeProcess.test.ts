/** How a process ends: every test is a process of its own, with real signals. */
import type * as NodeProcess from "@finwait/node/NodeProcess"
import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import * as net from "node:net"
import { afterAll, assert, describe, it } from "vitest"
import { Program } from "../../../test/tools/Program.ts"
import { RawClient } from "../../../test/tools/RawClient.ts"

const started: Array<Program> = []

afterAll(() => {
  for (const program of started) program.kill()
})

interface Options {
  readonly options?: NodeProcess.Options
  readonly env?: Record<string, string>
  readonly through?: ReadonlyArray<string>
}

const start = (fixture: string, { options, env, through }: Options): Program => {
  const program = new Program(new URL(`fixtures/${fixture}.ts`, import.meta.url), {
    env: { OPTIONS: JSON.stringify(options ?? {}), ...env },
    ...(through && { through })
  })
  started.push(program)
  return program
}

const run = (name: string, options: NodeProcess.Options = {}) => start("program", { options, env: { PROGRAM: name } })

/** A server, and a client that has told it a line, and perhaps begun another, and got its answer. */
const serve = async (line: string, given: Options = {}, begun = "") => {
  const program = start("server", given)
  const client = await RawClient.connect(await program.listening())
  await client.send(`${line}\n${begun}`)
  await client.hears("\n")
  return { program, client }
}

const ends = async (program: Program, code: number | null, signal: NodeJS.Signals | null = null) =>
  assert.deepStrictEqual(await program.ended(), { code, signal }, program.stderr + program.stdout)

const count = (program: Program, text: string) => (program.stderr + program.stdout).split(text).length - 1

const draining = (program: Program) => program.says("1 connection")

const report = (program: Program) => program.said[1]!["drained"]

describe.concurrent("a signal", () => {
  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("%s drains, and a clean drain exits 0", async (signal) => {
    const { client, program } = await serve("hello")
    await client.send("half a ")
    program.signal(signal)
    await draining(program)
    await client.send("line\n")
    assert.strictEqual(await client.ended(), "FIN")
    assert.strictEqual(client.text, "HELLO\nHALF A LINE\n")
    await ends(program, 0)
    assert.isTrue(report(program).clean)
    assert.lengthOf(program.lines, 2)
  })

  it("is told on stderr in one line, with the time that is left and what more of them do", async () => {
    const program = run("waits")
    await program.says("still waiting")
    program.signal("SIGTERM")
    await ends(program, 0)
    assert.strictEqual(
      program.stderr,
      "SIGTERM: stopping, within 28s; a second signal resets what is open, a third exits at once\n"
    )
  })

  it("that comes twice at once is an echo, and counts once", async () => {
    const { client, program } = await serve("twice", {}, "half a ")
    await draining(program)
    await client.send("line\n")
    assert.strictEqual(await client.ended(), "FIN")
    assert.strictEqual(client.text, "twice\nHALF A LINE\n")
    await ends(program, 0)
    assert.strictEqual(count(program, "SIGTERM"), 1)
  })

  it("that comes twice at once counts twice when there is no echoWindow", async () => {
    const { client, program } = await serve("twice", { options: { echoWindow: 0 } })
    assert.strictEqual(await client.ended(), "ECONNRESET")
    await ends(program, 1)
  })

  it("of another kind counts at once: the second resets what is open", async () => {
    const { client, program } = await serve("hang")
    program.signal("SIGTERM")
    await draining(program)
    program.signal("SIGINT")
    assert.strictEqual(await client.ended(), "ECONNRESET")
    await ends(program, 1)
    assert.include(program.stderr, "SIGINT again: every deadline is cut, what is open is reset\n")
    assert.strictEqual(report(program).forcedAt, "Resetting")
    assert.strictEqual(report(program).outcomes.Aborted, 1)
  })

  it("of another kind, when nothing had to be forced, exits 0", async () => {
    const program = run("ends at the cut")
    await program.says("waiting")
    program.signal("SIGTERM")
    await program.says("releasing")
    program.signal("SIGINT")
    await ends(program, 0)
    assert.include(program.stderr, "SIGINT again")
  })

  it("for the third time exits at once, with the code of the signal", async () => {
    const program = run("never finishes")
    await program.says("waiting")
    program.signal("SIGTERM")
    await program.says("releasing")
    program.signal("SIGINT")
    await program.says("every deadline is cut")
    program.signal("SIGHUP")
    await ends(program, 129)
    assert.include(program.stderr, "SIGHUP a third time: exiting at once\n")
  })

  it("that was not asked for keeps its own meaning", async () => {
    const program = run("waits", { signals: ["SIGUSR2"] })
    await program.says("still waiting")
    program.signal("SIGTERM")
    await ends(program, null, "SIGTERM")
  })

  it("that was asked for stops", async () => {
    const program = run("waits", { signals: ["SIGUSR2"] })
    await program.says("still waiting")
    program.signal("SIGUSR2")
    await ends(program, 0)
    assert.strictEqual(program.stdout, "still waiting\ninterrupted\n")
  })

  it("drains a process that may have no thread for a watchdog", async ({ skip }) => {
    if (!process.allowedNodeEnvironmentFlags.has("--allow-net")) {
      return skip("this Node's permissions know no network: its version is older than 25")
    }
    const env = { NODE_OPTIONS: "--permission --allow-fs-read=* --allow-fs-write=* --allow-net --no-warnings" }
    const { client, program } = await serve("hello", { env })
    program.signal("SIGTERM")
    assert.strictEqual(await client.ended(), "FIN")
    await ends(program, 0)
    assert.isTrue(report(program).clean)
  })

  it("reaches a process that is PID 1", async ({ skip }) => {
    const through = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if (spawnSync(through[0]!, [...through.slice(1), "true"]).status !== 0) {
      return skip("no process can be PID 1 here: `unshare --pid` does not work")
    }
    const { client, program } = await serve("hello", { through })
    const [first] = readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, "utf8").split(" ")
    process.kill(Number(first), "SIGTERM")
    assert.strictEqual(await client.ended(), "FIN")
    await ends(program, 0)
    assert.isTrue(report(program).clean)
  })
})

describe.concurrent("the end of the time", () => {
  const short = { grace: "1 second" } as const
  // With a margin that a busy machine cannot use up, so that the drain's own end, or the exit, comes before the watchdog.
  const roomy = { grace: "4 seconds", close: "300 millis", margin: "3 seconds" } as const

  it("for the handlers interrupts them, which exits 1", async () => {
    const { client, program } = await serve("hang", { options: { shutdown: roomy } })
    program.signal("SIGTERM")
    assert.strictEqual(await client.ended(), "FIN")
    await ends(program, 1)
    assert.strictEqual(report(program).handlersInterrupted, 1)
    assert.strictEqual(report(program).forcedAt, "Interrupting")
  })

  it("for the handlers leaves one behind that cannot be interrupted, and its connection closed", async () => {
    const { client, program } = await serve("stubborn", { options: { shutdown: roomy } })
    program.signal("SIGTERM")
    await client.ended()
    await ends(program, 1)
    assert.strictEqual(report(program).handlersAbandoned, 1)
  })

  it("for a release that has no bound of its own ends the process", async () => {
    const program = run("never finishes", { shutdown: roomy })
    await program.says("waiting")
    program.signal("SIGTERM")
    await ends(program, 1)
    assert.strictEqual(count(program, "not everything has ended within 2500 ms: exiting"), 1)
  })

  it("for a release that only the cut ends exits 1: it was forced", async () => {
    const program = run("ends at the cut", { shutdown: roomy })
    await program.says("waiting")
    program.signal("SIGTERM")
    await ends(program, 1)
  })

  it("resets what is still open before the process exits: half a message must not look whole", async () => {
    // It reads nothing, so that the program cannot finish.
    const peer = net.createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1")
    const accepted = once(peer, "connection")
    await once(peer, "listening")
    const PEER = `tcp://127.0.0.1:${(peer.address() as net.AddressInfo).port}`
    const program = start("program", { options: { shutdown: roomy }, env: { PROGRAM: "has more to say", PEER } })
    const [socket] = (await accepted) as [net.Socket]
    await program.says("waiting")
    program.signal("SIGTERM")
    await ends(program, 1)
    const ending = new Promise((resolve) => {
      socket.once("end", () => resolve("FIN"))
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code))
    })
    socket.resume()
    // Node 22 may tell one that has not read yet of a reset as if it were an end.
    const blind = process.versions.node.startsWith("22.")
    assert.include(["ECONNRESET", blind ? "FIN" : "ECONNRESET"], await ending)
    assert.include(program.stderr, "not everything has ended within 2500 ms: exiting\n")
    peer.close()
  })

  // The margin is the time that the watchdog has to find out, and that a busy machine has to let it.
  const watched = { grace: "6200 millis", margin: "6 seconds", close: 0 } as const

  it("for a blocked event loop is a kill before it is over, which names what blocks", async () => {
    const { program } = await serve("block Infinity", { options: { shutdown: watched } })
    const signalledAt = performance.now()
    program.signal("SIGTERM")
    await ends(program, null, "SIGKILL")
    assert.isBelow(performance.now() - signalledAt, 6200)
    assert.include(program.stderr, "the event loop is blocked past the shutdown's end: killing the process\n")
    assert.match(program.stderr, /at blockTheLoop \(.*fixtures\/server\.ts:\d+\)/)
  })

  it("for a blocked event loop is a kill with a margin of 100 ms as well", async () => {
    const { program } = await serve("block Infinity", { options: { shutdown: short } })
    program.signal("SIGTERM")
    await ends(program, null, "SIGKILL")
    assert.include(program.stderr, "the event loop is blocked past the shutdown's end: killing the process\n")
  })

  it("for a blocked event loop is a kill even when nobody reads what it says", async () => {
    const { program } = await serve("block Infinity", { options: { shutdown: short } })
    program.child.stderr!.destroy()
    program.signal("SIGTERM")
    await ends(program, null, "SIGKILL")
  })

  it("leaves an event loop alone that comes back to life", async () => {
    const { program } = await serve("block 2000", { options: { shutdown: watched } })
    program.signal("SIGTERM")
    assert.isNull((await program.ended()).signal, program.stderr)
    assert.strictEqual(report(program).connections, 1)
    assert.notInclude(program.stderr, "killing")
  })

  it("never pauses an event loop that turns", async () => {
    const program = run("is watched", {
      shutdown: { grace: "2 seconds", margin: "1900 millis", close: 0, deadline: "100 millis" }
    })
    await program.says("waiting")
    program.signal("SIGTERM")
    await ends(program, 0)
    assert.strictEqual(program.stdout, "waiting\n")
  })

  it("for a blocked event loop passes unnoticed without a watchdog", async () => {
    const { program } = await serve("block 1500", { options: { shutdown: short, watchdog: false } })
    program.signal("SIGTERM")
    await ends(program, 1)
    assert.notInclude(program.stderr, "killing")
  })
})

describe.concurrent("a program", () => {
  it("that succeeds ends by itself", async () => {
    const program = run("succeeds")
    await ends(program, 0)
    assert.strictEqual(program.stdout, "done\n")
    assert.strictEqual(program.stderr, "")
  })

  it("that succeeds lets what it has left behind end as well", async () => {
    const program = run("leaves a timer")
    await ends(program, 0)
    assert.strictEqual(program.stdout, "later\n")
  })

  it.each(["fails", "dies"])("that %s says so once, and exits 1", async (name) => {
    const program = run(name)
    await ends(program, 1)
    assert.strictEqual(count(program, "it is broken"), 1, program.stderr)
  })

  it("whose error has an exit code exits with it", async () => {
    const program = run("fails with a code")
    await ends(program, 42)
    assert.strictEqual(count(program, "it has a code"), 1)
  })

  it("whose error is not to be reported is silent", async () => {
    const program = run("fails unreported")
    await ends(program, 1)
    assert.strictEqual(program.stderr + program.stdout, "")
  })

  it("that fails is silent when reporting is disabled", async () => {
    const program = run("fails", { disableErrorReporting: true })
    await ends(program, 1)
    assert.strictEqual(program.stderr + program.stdout, "")
  })

  it("that interrupts itself exits 130", async () => {
    await ends(run("interrupts itself"), 130)
  })

  it("of which a part asks for the end stops, and exits 1", async () => {
    await ends(run("asks for its end"), 1)
  })

  it("that fails while it stops says so, and exits 1", async () => {
    const program = run("fails while it stops")
    await program.says("waiting")
    program.signal("SIGTERM")
    await ends(program, 1)
    assert.strictEqual(count(program, "the release is broken"), 1)
  })

  it("chooses its exit code itself when it wants to", async () => {
    const { program } = await serve("hello", { env: { EXIT_CODE: "7" } })
    program.signal("SIGTERM")
    await ends(program, 7)
  })

  it("whose budget does not fit is not begun: the sum is shown, and it exits 1", async () => {
    const program = run("succeeds", { shutdown: { grace: "10 seconds", deadline: "20 seconds" } })
    await ends(program, 1)
    assert.strictEqual(program.stdout, "")
    assert.strictEqual(
      program.stderr,
      "shutdown budget: lameDuck 0s + deadline 20s + close 2s + margin 1s = 23s, 13s more than grace 10s\n"
    )
  })

  it.each<[string, object, string]>([
    ["echoWindow", { echoWindow: "soon" }, "runMain echoWindow: 'soon' is not a duration\n"],
    ["echoWindow", { echoWindow: "-1 seconds" }, "runMain echoWindow: must not be negative\n"],
    ["signals", { signals: ["SIGTERM", "SIGKILL"] }, "runMain signals: SIGKILL cannot be caught\n"],
    ["signals", { signals: ["SIGNOTHING"] }, "runMain signals: 'SIGNOTHING' is not a signal\n"]
  ])("with impossible %s is not begun: one line says so, and it exits 1", async (_name, options, line) => {
    const program = run("succeeds", options)
    await ends(program, 1)
    assert.strictEqual(program.stdout, "")
    assert.strictEqual(program.stderr, line)
  })

  it("that says a lot and fails has said it all, however slowly it is read", async () => {
    const program = run("says a lot")
    const { stdout } = program.child
    stdout!.on("data", () => {
      stdout!.pause()
      setImmediate(() => stdout!.resume())
    })
    await ends(program, 1)
    assert.lengthOf(
      program.lines.filter((line) => /^line \d+ x{20}$/.test(line)),
      40_000
    )
    assert.strictEqual(count(program, "and then fails"), 1)
  })
})

describe.concurrent("what nobody has caught", () => {
  it.each([
    ["throw", "uncaught exception: stopping\nError: thrown in nobody's fiber\n    at "],
    ["reject", "unhandled rejection: stopping\nError: rejected by nobody's promise\n    at "]
  ])("by %s is reported once, drains, and exits 1", async (command, told) => {
    const { client, program } = await serve(command, {}, "half a ")
    await draining(program)
    await client.send("line\n")
    assert.strictEqual(await client.ended(), "FIN")
    assert.strictEqual(client.text, `${command}\nHALF A LINE\n`)
    await ends(program, 1)
    assert.strictEqual(count(program, told), 1, program.stderr)
    assert.strictEqual(count(program, "stopping"), 1)
    assert.isTrue(report(program).clean)
  })

  it("is one line when it comes again", async () => {
    const { program } = await serve("throw-twice")
    await ends(program, 1)
    assert.include(program.stderr, "uncaught exception: stopping\nError: thrown again and again\n    at ")
    assert.include(program.stderr, "uncaught exception again: Error: thrown again and again\n")
    assert.strictEqual(
      count(program, "fixtures/server.ts"),
      program.stderr.split("again:")[0]!.split("server.ts").length - 1
    )
  })

  it("does not mean the output that nobody reads any more: the server goes on, and drains at its time", async () => {
    const { client, program } = await serve("hello")
    program.child.stdout!.destroy()
    program.child.stderr!.destroy()
    for (const line of ["print 1", "print 2", "bye"]) await client.send(`${line}\n`)
    await client.hears("BYE\n")
    program.signal("SIGTERM")
    assert.strictEqual(await client.ended(), "FIN")
    await ends(program, 0)
  })

  it("ends the process on the spot when it is left to Node", async () => {
    const { program } = await serve("throw", { options: { uncaught: "crash" } })
    await ends(program, 1)
    assert.include(program.stderr, "thrown in nobody's fiber")
    assert.notInclude(program.stderr, "drain")
    assert.lengthOf(program.lines, 1)
  })
})

describe.concurrent("the file limit", () => {
  it("turns away who does not fit, and counts them: nobody is dropped in silence", async () => {
    const program = start("server", { through: ["sh", "-c", `ulimit -n 128; exec "$@"`, "sh"] })
    const address = await program.listening()
    const clients = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(address)))
    await Promise.all(
      clients.map(async (client) => {
        client.socket.write("hello\n")
        await client.until(() => client.text === "HELLO\n" || client.ending !== undefined, "an answer or an end")
      })
    )
    const served = clients.filter((client) => client.text === "HELLO\n" && client.ending === undefined)
    assert.lengthOf(served, 64)
    program.signal("SIGTERM")
    for (const client of served) assert.strictEqual(await client.ended(), "FIN")
    await ends(program, 0)
    assert.strictEqual(program.said[1]!["refused"], 36)
    assert.match(program.stderr, /refused, .*open files/)
  })
})
