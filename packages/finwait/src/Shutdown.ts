/**
 * The shutdown of a whole process, as seen from inside it: the one switch that cuts every deadline to zero, and the
 * place where every drain reports, so that the exit code can tell whether anything was forced.
 *
 * `NodeProcess.runMain` provides one and pulls the switch at the second signal. Everything else shares a default whose
 * switch nobody pulls.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { Report } from "./Drain.ts"
import type { ShutdownBudget } from "./ShutdownBudget.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Shutdown {
  /** Begins every drain at once, servers of one scope side by side. The ends of their scopes then only wait. */
  readonly begin: () => void
  /** Calls back at the beginning, or at once when that has been; the result takes it back. */
  readonly onBegin: (callback: () => void) => () => void
  /** Every deadline is zero: what is still open is reset at once. */
  readonly isCut: boolean
  /** Cuts every deadline to zero, once and for all. */
  readonly cut: () => void
  /** Calls back at the cut, or at once when that has been; the result takes it back. */
  readonly onCut: (callback: () => void) => () => void
  /** Asks for the end of the whole process: a part of it cannot go on. */
  readonly request: (why: string) => void
  /** Calls back when somebody asks, or at once when somebody has; the result takes it back. */
  readonly onRequest: (callback: (why: string) => void) => () => void
  /** What the drains have reported so far. */
  readonly reports: ReadonlyArray<Report>
  /** Takes a drain's report. */
  readonly report: (report: Report) => void
  /** Connections outside of any server that a shutdown had to reset. */
  readonly forced: number
  /** Counts one of them. */
  readonly force: () => void
  /** The budget of servers that name none of their own. */
  readonly budget: ShutdownBudget | undefined
}

/**
 * A shutdown that nobody has begun.
 *
 * **Example**
 *
 * ```ts
 * import * as Shutdown from "finwait/Shutdown"
 *
 * const shutdown = Shutdown.make()
 * shutdown.onCut(() => console.log("no more time"))
 * shutdown.cut() // prints: no more time
 * console.log(shutdown.isCut) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (budget?: ShutdownBudget): Shutdown => {
  const begin = once<void>()
  const cut = once<void>()
  const request = once<string>()
  const reports: Array<Report> = []
  let forced = 0
  return {
    budget,
    reports,
    get isCut() {
      return cut.happened
    },
    get forced() {
      return forced
    },
    begin: () => begin.happen(),
    onBegin: begin.on,
    cut: () => cut.happen(),
    onCut: cut.on,
    request: request.happen,
    onRequest: request.on,
    report(report) {
      reports.push(report)
    },
    force() {
      forced++
    }
  }
}

/** Something that happens once, and is told to those who came before and to those who come after. */
const once = <A>() => {
  const callbacks = new Set<(value: A) => void>()
  let told: { readonly value: A } | undefined
  return {
    get happened() {
      return told !== undefined
    },
    happen(value: A): void {
      if (told !== undefined) return
      told = { value }
      const all = [...callbacks]
      callbacks.clear()
      for (const callback of all) callback(value)
    },
    on(callback: (value: A) => void): () => void {
      if (told !== undefined) callback(told.value)
      else callbacks.add(callback)
      return () => {
        callbacks.delete(callback)
      }
    }
  }
}

/**
 * The shutdown that connections and servers belong to.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentShutdown: Context.Reference<Shutdown> = Context.Reference("finwait/Shutdown", {
  defaultValue: () => make()
})
