/**
 * Sees every access to what a program shares.
 *
 * The properties of a named object, and of every object that it leads to, become accessors in place, so that whoever
 * holds it is seen. Arrays cannot have that: who reads one from a property gets a proxy of it. Maps and sets get methods
 * of their own. Functions, effects, fibers, contexts, errors and bytes are not looked into; `#private` fields and
 * variables of closures cannot be.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { mix, type Place, type Trace } from "./exploreTrace.ts"
import { World } from "./world.ts"

/** Whose run it is, while it runs. */
let recording: Trace | undefined

export const recordingIn = <A>(trace: Trace | undefined, run: () => A): A => {
  const previous = recording
  recording = trace
  try {
    return run()
  } finally {
    recording = previous
  }
}

const seen: unique symbol = Symbol("finwait/testing/Explore/seen")

interface Seen extends Place {
  readonly values: Array<unknown>
  /** Which kinds of property these are. */
  readonly kinds: ReadonlyArray<number>
  /** What is used in an array's place. */
  proxy?: unknown
}

interface Watched {
  [seen]: Seen
}

/** Names something that fibers share. Outside of an exploration nothing happens. */
export const share = <A>(value: A): A => {
  if (recording === undefined) return value
  return watch(value, mix(recording.make(), ++recording.named), kindOf("named")) as A
}

/** Gives what is to be used in its place: the same, but for an array. */
const watch = (value: unknown, id: number, owner: number): unknown => {
  if (typeof value !== "object" || value === null || isLeaf(value)) return value
  if (seen in value) return (value as Watched)[seen].proxy ?? value
  if (Array.isArray(value)) return watchArray(value, id, owner)
  if (!Object.isExtensible(value)) return value
  if (value instanceof Map || value instanceof Set) watchCollection(value, id, owner)
  else watchObject(value, id)
  return value
}

const isLeaf = (value: object): boolean =>
  ArrayBuffer.isView(value) ||
  value instanceof ArrayBuffer ||
  value instanceof Error ||
  value instanceof Promise ||
  value instanceof WeakMap ||
  value instanceof World ||
  Effect.isEffect(value) ||
  Fiber.isFiber(value) ||
  Context.isContext(value) ||
  Cause.isCause(value)

// What is never written -----------------------------------------------------------------------------------------------

/**
 * Most properties are written by a constructor and never again; who reads one of these has learnt nothing from others.
 * Which they are turns out as programs run, by kind: a class's name and a property of it. A search during which another
 * kind turns out to be written begins again.
 */
const kinds = new Map<string, number>()

const kindOf = (name: string): number => {
  let kind = kinds.get(name)
  if (kind === undefined) kinds.set(name, (kind = kinds.size))
  return kind
}

const read = (own: Seen, index: number): void => {
  if (recording !== undefined && recording.written.has(own.kinds[index]!)) recording.read(own, index)
}

const write = (own: Seen, index: number): void => {
  if (recording === undefined) return
  recording.written.add(own.kinds[index]!)
  recording.write(own, index)
}

const placeOf = (id: number, kinds: ReadonlyArray<number>, values: Array<unknown>): Seen => ({
  id,
  kinds,
  values,
  writers: kinds.map(() => 0),
  readers: kinds.map(() => 0)
})

// Objects -------------------------------------------------------------------------------------------------------------

/** Accessors by their position; objects of one shape share them. */
const accessors: Array<PropertyDescriptor> = []

const accessor = (index: number): PropertyDescriptor =>
  (accessors[index] ??= {
    configurable: true,
    enumerable: true,
    get(this: Watched) {
      const own = this[seen]
      read(own, index)
      return own.values[index]
    },
    set(this: Watched, value: unknown) {
      const own = this[seen]
      write(own, index)
      own.values[index] =
        recording === undefined ? value : watch(value, mix(own.id + index, own.writers[index]!), own.kinds[index]!)
    }
  })

interface Shape {
  readonly keys: ReadonlyArray<string>
  readonly kinds: ReadonlyArray<number>
}

const shapes = new WeakMap<object, Array<Shape>>()

const shapeOf = (object: object, keys: ReadonlyArray<string>): Shape => {
  const prototype = Object.getPrototypeOf(object) as object | null
  let known = prototype === null ? [] : shapes.get(prototype)
  if (known === undefined) shapes.set(prototype!, (known = []))
  let shape = known.find(
    (shape) => shape.keys.length === keys.length && shape.keys.every((key, at) => key === keys[at])
  )
  if (shape === undefined) {
    const name = `${prototype?.constructor?.name}{${keys.join()}}`
    known.push((shape = { keys, kinds: keys.map((key) => kindOf(`${name}.${key}`)) }))
  }
  return shape
}

const watchObject = (object: object, id: number): void => {
  const names: Array<string> = []
  const values: Array<unknown> = []
  for (const key of Object.keys(object)) {
    const { configurable, get, value, writable } = Object.getOwnPropertyDescriptor(object, key)!
    if (get !== undefined || configurable !== true || writable !== true) continue
    names.push(key)
    values.push(value)
  }
  const { keys, kinds } = shapeOf(object, names)
  const own = placeOf(id, kinds, values)
  Object.defineProperty(object, seen, { value: own })
  for (const [index, key] of keys.entries()) Object.defineProperty(object, key, accessor(index))
  for (const [index, value] of values.entries()) values[index] = watch(value, mix(id + index, 0), kinds[index]!)
}

/** Only these properties of something that is not looked into otherwise. */
export const watchProperties = (object: object, keys: ReadonlyArray<string>, trace: Trace): void => {
  if (seen in object) return
  const values = keys.map((key): unknown => Reflect.get(object, key))
  const own = placeOf(mix(trace.current, 7), shapeOf(object, keys).kinds, values)
  Object.defineProperty(object, seen, { value: own })
  for (const [index, key] of keys.entries()) Object.defineProperty(object, key, accessor(index))
}

// Arrays --------------------------------------------------------------------------------------------------------------

const watchArray = (array: Array<unknown>, id: number, owner: number): Array<unknown> => {
  const own = placeOf(id, [kindOf(`${owner}[]`)], [])
  const [kind] = own.kinds
  let elements = 0
  for (const [index, value] of array.entries()) array[index] = watch(value, mix(id, ++elements), kind!)
  Object.defineProperty(array, seen, { value: own })
  own.proxy = new Proxy(array, {
    get(target, key) {
      if (key !== seen) read(own, 0)
      return Reflect.get(target, key)
    },
    set(target, key, value) {
      write(own, 0)
      return Reflect.set(target, key, watch(value, mix(id, ++elements), kind!))
    },
    deleteProperty(target, key) {
      write(own, 0)
      return Reflect.deleteProperty(target, key)
    }
  })
  return own.proxy as Array<unknown>
}

// Maps and sets -------------------------------------------------------------------------------------------------------

const reads = ["get", "has", "forEach", "keys", "values", "entries", Symbol.iterator] as const
const writes = ["set", "add", "delete", "clear"] as const

const watchCollection = (collection: Map<unknown, unknown> | Set<unknown>, id: number, owner: number): void => {
  const own = placeOf(id, [kindOf(`${owner}{}`)], [])
  let elements = 0
  const look = (value: unknown) => watch(value, mix(id, ++elements), own.kinds[0]!)
  const methods = Object.getPrototypeOf(collection) as Record<PropertyKey, (...args: Array<unknown>) => unknown>
  const size = Object.getOwnPropertyDescriptor(collection instanceof Map ? Map.prototype : Set.prototype, "size")!
  for (const value of collection.values()) look(value)
  Object.defineProperty(collection, seen, { value: own })
  Object.defineProperty(collection, "size", {
    get() {
      read(own, 0)
      return size.get!.call(collection) as number
    }
  })
  for (const name of [...reads, ...writes]) {
    const method = methods[name]
    if (method === undefined) continue
    const isWrite = (writes as ReadonlyArray<PropertyKey>).includes(name)
    Object.defineProperty(collection, name, {
      value: (...args: Array<unknown>) => {
        if (isWrite) {
          write(own, 0)
          args = args.map(look)
        } else read(own, 0)
        return method.apply(collection, args)
      }
    })
  }
}
