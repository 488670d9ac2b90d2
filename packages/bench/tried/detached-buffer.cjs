/**
 * A process in which one buffer was taken from its memory, as growing a WebAssembly's memory does, and Node's type
 * stripping with that: V8 then looks at every access to any buffer whether it is still there.
 * `bench --only ws-ping-65536-100 --subjects ws --flags="--require ./packages/bench/tried/detached-buffer.cjs"`.
 */
const memory = new WebAssembly.Memory({ initial: 1 })
const { buffer } = memory
memory.grow(1)
if (!buffer.detached) throw new Error("it is still there: nothing would be tried")
