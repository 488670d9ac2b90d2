/**
 * A world in which every operation of every fiber is seen, and in which a fiber can be preempted before each of them.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Tracer from "effect/Tracer"
import type { AnyFiber, Controlled } from "./exploreOrder.ts"
import { seeded } from "./seeded.ts"
import { World } from "./world.ts"

/**
 * Operations that only say what comes next, and run nobody's code: to be preempted before one of them is the same as to
 * be preempted before the one behind it.
 */
const silent = new Set(["OnSuccess", "OnFailure", "OnSuccessAndFailure", "AsyncFinalizer", "Yield"])

/** Operations that leave something on the fiber's stack for an interruption to find. */
const frames = new Set(["OnExit", "OnFailure", "OnSuccessAndFailure"])

const evaluate = "~effect/Effect/evaluate"
const identifier = "~effect/Effect/identifier"

/** A tracer sees operations with their names, which a scheduler does not. Its spans are Effect's own. */
const watching = (order: Controlled): Tracer.Tracer =>
  Tracer.make({
    span: (options) => new Tracer.NativeSpan(options),
    context(primitive, fiber) {
      const name = (primitive as unknown as { readonly [identifier]: string })[identifier]
      if (name === "Yield") order.yields()
      else if (!silent.has(name) && order.preempts(fiber as AnyFiber, primitive)) {
        return Effect.flatMap(Effect.yieldNow, () => primitive as never) as never
      }
      if (frames.has(name)) order.trace?.make()
      return primitive[evaluate](fiber)
    }
  })

export class ExploredWorld extends World {
  readonly controlled: Controlled

  constructor(order: Controlled) {
    const random = seeded(0, () => (order.isBlind = true))
    super(order, Context.make(Tracer.Tracer, watching(order)).pipe(Context.add(Random.Random, random)))
    this.controlled = order
  }

  override recordFiberStart(): void {
    super.recordFiberStart()
    this.controlled.born()
  }
}
