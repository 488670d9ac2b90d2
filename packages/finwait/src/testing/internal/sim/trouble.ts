/**
 * What each fault does to the sockets that it befalls.
 */
import type * as Fault from "../../Fault.ts"
import type { SimAcceptor } from "./acceptor.ts"
import type { Endpoint } from "./endpoint.ts"

/** A slow writer's bytes come in ten pieces a second, one at least. */
const piecesPerSecond = 10

/** Befalls one side of a connection. */
export const strike = (end: Endpoint, fault: Fault.Fault): void => {
  const { timeline } = end.host
  const now = timeline.now()
  end.host.note(end, "fault", describeShort(fault))
  switch (fault._tag) {
    case "Delay":
      end.wire.delayMillis += fault.millis
      return
    case "Jitter":
      end.wire.jitterMillis += fault.millis
      return
    case "Stall":
      end.stalledUntil = Math.max(end.stalledUntil, now + fault.millis)
      return
    case "LinkDown":
      return linkDown(end, now + fault.millis)
    case "HalfOpen":
      return linkDown(end, Infinity)
    case "Reset":
      timeline.soon(() => end.breakBoth())
      return
    case "ResetAtByte":
      end.breakAtByte = Math.min(end.breakAtByte, fault.byte)
      return
    case "ResetAtStage":
      end.resetsAt = fault.stage
      return
    case "SlowReader":
      end.readBytesPerSecond = Math.min(end.readBytesPerSecond, fault.bytesPerSecond)
      return
    case "SlowWriter":
      end.wire.bytesPerSecond = Math.min(end.wire.bytesPerSecond, fault.bytesPerSecond)
      end.wire.pieceBytes = Math.max(1, Math.floor(end.wire.bytesPerSecond / piecesPerSecond))
      return
    case "LateFin":
      end.finLateMillis = Math.max(end.finLateMillis, fault.millis)
      return
    case "DuplicateFin":
      end.finTwice = true
      return
    case "Pause":
      end.pausedUntil = Math.max(end.pausedUntil, now + fault.millis)
      return
    case "AcceptError":
    case "Refuse":
      return
  }
}

/** Befalls a listener. */
export const strikeListener = (acceptor: SimAcceptor, fault: Fault.Fault, now: number): void => {
  if (fault._tag === "AcceptError") for (let n = 0; n < fault.times; n++) acceptor.failures.push(fault.code)
  if (fault._tag === "Refuse") acceptor.refusesUntil = Math.max(acceptor.refusesUntil, now + fault.millis)
}

const linkDown = (end: Endpoint, until: number): void => {
  end.wire.down(until)
  end.peer.wire.down(until)
  end.probe()
  end.peer.probe()
}

const describeShort = (fault: Fault.Fault): string => {
  const { _tag, ...figures } = fault
  const [figure] = Object.values(figures)
  return figure === undefined ? _tag : `${_tag} ${figure}`
}
