/**
 * An Effect that makes no `AsyncResource` when a fiber suspends, as it could where nobody follows async contexts:
 * `bench --only ping-64-100 --flags="--require ./packages/bench/tried/no-async-resource.cjs"`.
 */
class Nothing {
  runInAsyncScope(work, self, argument) {
    return work.call(self, argument)
  }
  emitDestroy() {}
}
const hooks = process.getBuiltinModule("node:async_hooks")
if (hooks.AsyncResource === undefined) throw new Error("node:async_hooks has no AsyncResource: nothing would be tried")
hooks.AsyncResource = Nothing
