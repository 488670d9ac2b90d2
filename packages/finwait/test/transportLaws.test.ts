import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import * as SimNetwork from "finwait/testing/SimNetwork"
import * as TransportLaws from "finwait/testing/TransportLaws"
import * as Broken from "./support/brokenTransports.ts"
import { ofMessages, overMessages } from "./support/messagePipes.ts"

const simulated = (
  name: string,
  address: string,
  options?: SimNetwork.Options,
  more?: Partial<TransportLaws.Subject>,
  made: Broken.Breaker = (provider) => provider
): TransportLaws.Subject => ({
  name,
  ground: Effect.map(SimNetwork.make(options), ({ provider, socketsOpen }) => ({
    provider: made(provider),
    address,
    socketsOpen
  })),
  muchBytes: 1024 * 1024,
  ...more
})

const subjects = [
  simulated("the simulated network", "tcp://127.0.0.1:7000"),
  simulated("simulated Unix sockets", "unix:///run/app.sock"),
  simulated(
    "a simulated network with latency, small buffers and Ethernet's packets",
    "tcp://127.0.0.1:0",
    { latency: 2, sendBufferBytes: 10_000, receiveBufferBytes: 5000, pieceBytes: 1460 },
    { pass: TestClock.adjust(1), turnsMax: 20_000, muchBytes: 128 * 1024 }
  ),
  simulated("pipes of messages over the simulated network", "tcp://127.0.0.1:7000", {}, {}, ofMessages)
]

for (const subject of subjects) {
  describe(`the laws of transports, on ${subject.name}`, () => {
    for (const law of TransportLaws.laws(subject)) it.effect(law.name, () => law.check)
  })
}

/** For each law, a transport that breaks it, and what it is then told that was expected of it. */
const breakers: Readonly<Record<string, readonly [breaker: Broken.Breaker, expected: string]>> = {
  "bytes arrive whole and in order, in writes of any size": [Broken.dropsAByte, "bytes arrive whole and in order"],
  "thousands of small writes arrive whole and in order": [Broken.swapsTwoWrites, "bytes arrive whole and in order"],
  "more bytes than every buffer holds go both ways at once": [Broken.doublesAChunk, "bytes arrive whole and in order"],
  "text arrives as its bytes": [Broken.takesCharactersForBytes, "text arrives as its UTF-8"],
  "pipes side by side keep their bytes apart": [Broken.givesToAnother, "bytes arrive whole and in order"],
  "what comes before anyone listens waits": [
    Broken.losesWhatComesEarly,
    "what came before anyone listened is delivered"
  ],
  "messages arrive one by one, as they were written, where a pipe has them": [
    overMessages(Broken.forgetsMessagesOfNothing),
    "each write arrives"
  ],
  "messages of text arrive as text, where a pipe has them": [
    overMessages(Broken.writesTextAsBytes),
    "text arrives as text"
  ],
  "a goodbye arrives in its words, where a pipe of messages says it": [
    overMessages(Broken.isWordless),
    "the goodbye that is heard is"
  ],
  "a writer whose peer does not read is held back": [Broken.alwaysHasRoom, "is told to wait"],
  "a writer that was held back goes on when the peer reads": [Broken.forgetsThatThereIsRoom, "room comes back"],
  "a paused receiver is told nothing, and loses nothing": [Broken.ignoresPause, "a paused receiver is told nothing"],
  "the end comes after the last byte, once": [Broken.tellsTheEndEarly, "no data comes after the end"],
  "a pipe may end without a byte": [Broken.losesTheFinOfNothing, "the end is told of a pipe that carried nothing"],
  "no end comes by itself": [Broken.endsByItself, "a pipe goes on until somebody ends it"],
  "the end waits for resume, as bytes do": [Broken.tellsTheEndWhilePaused, "a paused receiver is told nothing"],
  "who is held back when the other's end comes loses nothing": [
    Broken.answersFinAtOnce,
    "what a writer that was held back has still to say arrives"
  ],
  "who has sent FIN hears on, where there is a half-close": [Broken.isDeafBehindItsFin, "200000 bytes arrive"],
  "who has heard FIN writes on, where there is a half-close": [Broken.answersFinAtOnce, "200000 bytes arrive"],
  "flushed is told once, when the system has everything": [
    Broken.tellsFlushedEarly,
    "at onFlushed the system has everything"
  ],
  "flushed is told of a FIN alone": [Broken.forgetsFlushed, "onFlushed is told"],
  "catching up delivers what the system held": [Broken.catchesUpAtOnce, "catchUp delivers what the system held"],
  "nothing is told after release": [Broken.tellsAfterRelease, "after release nothing is told"],
  "reset and release are done once, however often they are asked for": [
    Broken.isReleasedTwice,
    "after onReleased nothing is told"
  ],
  "a reset in the turn of closeWrite resets": [
    Broken.doesNotResetInTheTurnOfCloseWrite,
    "a reset gives the descriptor back"
  ],
  "a reset takes back what was not sent": [Broken.doesNotReset, "the peer is told of a reset as a break"],
  "acts on a pipe that has ended do nothing": [Broken.throwsWhenItHasEnded, "no act throws"],
  "nothing is sent behind FIN": [Broken.breaksAtWriteBehindFin, "after onBroken"],
  "a release with unread input is a reset, where there is one": [
    Broken.drainsAtRelease,
    "the peer is told of a reset as a break"
  ],
  "a release takes back nothing that was flushed": [Broken.resetsAtRelease, "what the system has taken is still sent"],
  "a connection carries bytes whole and in order, both ways": [Broken.doublesAChunk, "bytes arrive whole and in order"],
  "a connection's pulls bring all bytes, then the end": [Broken.tellsTheEndEarly, "no data comes after the end"],
  "a connection half-closes, where there is a half-close": [Broken.isDeafBehindItsFin, "200000 bytes arrive"],
  "a write waits while the peer does not read, and loses nothing": [
    Broken.alwaysHasRoom,
    "a write waits while the peer does not read"
  ],
  "a second reader is Busy, and the first is not disturbed": [Broken.dropsAByte, "bytes arrive whole and in order"],
  "what one write carries arrives together": [Broken.mixesWrites, "each write's bytes arrive together"],
  "a close says its farewell behind everything written": [
    Broken.hurriesShortWrites,
    "the farewell is the last that arrives"
  ],
  "a close ends the read that waits": [Broken.losesTheFin, "reading to the end"],
  "a close takes along the write that waits": [
    Broken.resetsAtCloseWrite,
    "a pipe is not given back before it has ended"
  ],
  "both sides may close at once": [Broken.losesTheFin, "the close: it ends"],
  "a hundred closes are one: one outcome, one FIN": [Broken.tellsTheEndTwice, "the end is told once"],
  "an abort after the close changes nothing": [Broken.tellsAfterRelease, "after release nothing is told"],
  "a close whose waiter is interrupted goes on": [Broken.forgetsFlushed, "the close: it ends"],
  "a close loses nothing to unread input, nor to a peer that is still sending": [
    Broken.releasesWhenFlushed,
    "the upload, while the other side closes"
  ],
  "an abort while Open resets": [Broken.doesNotReset, "reading from a side that has aborted"],
  "an abort while in Farewell resets": [Broken.doesNotReset, "reading from a side that has aborted"],
  "an abort while Flushing resets": [Broken.doesNotReset, "reading from a side that has aborted"],
  "an abort while Lingering resets": [Broken.forgetsReleased, "the close: it ends"],
  "a reset fails the peer's read that waits": [Broken.doesNotReset, "a read that waits when the peer resets"],
  "a reset fails the peer's write that waits": [Broken.forgetsThatItBroke, "a write that waits when the peer resets"],
  "a reset is told to who reads only later": [
    Broken.forgetsThatItBrokeEarly,
    "a read that comes after the peer's reset"
  ],
  "after stop connections are refused, and those that are open stay": [Broken.stopsNothing, "where nobody listens"],
  "a stop hands over who is connected": [Broken.dropsTheBacklog, "is handed over"],
  "an abort of a listener resets who waits": [Broken.abortsNothing, "an abort turns away who waits"],
  "listening twice on one address is AddressInUse": [
    Broken.listensElsewhere,
    "a second listener fails with AddressInUse"
  ],
  "a connect that is interrupted leaves nothing open": [
    Broken.tellsLateOfWhatItMade,
    "who was accepted from a connect that was interrupted"
  ],
  "each end's remote address is the other's local one": [
    Broken.namesTheWrongAddress,
    "its remote address is the other's local one"
  ]
}

/** Over the simulated network, which obeys: what is broken is broken by the breaker. */
const brokenBy = (breaker: Broken.Breaker): TransportLaws.Subject => ({
  name: "a broken transport",
  ground: Effect.map(SimNetwork.make(), ({ provider }) => ({
    provider: breaker(provider),
    address: "tcp://127.0.0.1:7000"
  })),
  turnsMax: 20_000,
  muchBytes: 256 * 1024
})

describe("a transport that breaks a law is told which", () => {
  for (const [name, [breaker, expected]] of Object.entries(breakers)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const law = TransportLaws.laws(brokenBy(breaker)).find((law) => law.name === name)!
        const error = yield* Effect.flip(law.check)
        assert.instanceOf(error, TransportLaws.LawBroken)
        assert.strictEqual(error.law, name)
        assert.include(error.expected, expected)
        assert.isAbove(error.transcript.length, 0)
        assert.include(error.message, `a broken transport breaks the law: ${name}\n  expected: `)
      }).pipe(Effect.provide(Logger.layer([])))
    )
  }

  it("every law has a transport that breaks it", () => {
    assert.deepStrictEqual(
      TransportLaws.laws(brokenBy(Broken.dropsAByte)).map((law) => law.name),
      Object.keys(breakers)
    )
  })

  for (const law of TransportLaws.laws(brokenBy(Broken.pipes(Broken.Passing)))) {
    it.effect(`one that only stands in between breaks none: ${law.name}`, () => law.check)
  }
})
