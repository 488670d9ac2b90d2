/**
 * The file of a Unix socket: found stale, replaced, given its mode, and removed only by its owner.
 *
 * A process that is killed leaves its socket file behind, and `bind` then fails although nobody listens. Node removes a
 * file when it closes its listener, by path, and so an old process that goes removes the file of the new one that has
 * taken its place. So: who answers a probe is alive, and the address is in use; who does not is replaced. The new
 * listener binds under a temporary name that gets its mode and is then linked to the real one, so that no client ever
 * sees a file that does not listen or is open to too many; Node's own removal then finds nothing. We remove the file
 * under its real name ourselves, if it is still ours.
 *
 * Several may start at once. A link fails where something lies, and so one of them wins; a rename would let the last one
 * take the name from the others, who would go on without ever being found.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { Buffer } from "node:buffer"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs/promises"
import { statSync, unlinkSync } from "node:fs"
import * as Net from "node:net"
import { dirname } from "node:path"
import { AddressInUse, PathTooLong, type Reason, reasonFromCode, SystemFailure } from "finwait/NetworkError"

/** `sun_path` has 108 bytes on Linux, 104 on macOS and BSD, a NUL included. Node 22 cuts longer ones silently. */
const pathBytesMax = process.platform === "linux" ? 107 : 103

const temporarySuffixBytes = 9

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "UNKNOWN"

const attempt = <A>(act: () => Promise<A>): Effect.Effect<A, Reason> =>
  Effect.tryPromise({ try: act, catch: (error) => reasonFromCode(codeOf(error), String(error)) })

/** Whether a path can be connected to, or listened at, which takes a temporary name beside it. */
export const checkPath = (operation: "connect" | "listen", path: string): Effect.Effect<void, Reason> => {
  const pathBytes = Buffer.byteLength(path)
  const limit = operation === "connect" ? pathBytesMax : pathBytesMax - temporarySuffixBytes
  return pathBytes > limit ? Effect.fail(new PathTooLong({ pathBytes, pathBytesMax: limit })) : Effect.void
}

/** A name beside the real one: a rename must not cross file systems. */
export const temporaryPath = (path: string): string => `${path}.${randomBytes(4).toString("hex")}`

/** Whether somebody answers there. */
const probe = (path: string): Effect.Effect<"alive" | "stale" | "absent", Reason> =>
  Effect.callback<"alive" | "stale" | "absent", Reason>((resume) => {
    const socket = Net.connect({ path })
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed("alive"))
    })
    socket.once("error", (error) => {
      const code = codeOf(error)
      if (code === "ECONNREFUSED") resume(Effect.succeed("stale"))
      else if (code === "ENOENT") resume(Effect.succeed("absent"))
      // A listener with a full backlog is alive.
      else if (code === "EAGAIN") resume(Effect.succeed("alive"))
      else resume(Effect.fail(reasonFromCode(code, error.message)))
    })
    return Effect.sync(() => {
      socket.destroy()
    })
  })

/** What lies at the path: nothing, or a socket that nobody listens on. */
const examine = Effect.fnUntraced(function* (path: string): Effect.fn.Return<"stale" | "absent", Reason> {
  const found = yield* attempt(() =>
    Fs.lstat(path).catch((error) => (codeOf(error) === "ENOENT" ? undefined : Promise.reject(error)))
  )
  if (found === undefined) return "absent"
  if (!found.isSocket()) {
    return yield* Effect.fail(new SystemFailure({ code: "EEXIST", detail: "a file that is not a socket lies there" }))
  }
  const answer = yield* probe(path)
  return answer === "alive" ? yield* Effect.fail(new AddressInUse()) : answer
})

/** Makes sure that the path may be taken: nobody listens there, and what lies there is a socket. */
export const claim = Effect.fnUntraced(function* (path: string): Effect.fn.Return<void, Reason> {
  // Of a folder that is absent, bind says EACCES: libuv translates it.
  if ((yield* examine(path)) === "absent") yield* attempt(() => Fs.access(dirname(path)))
})

const removed = (path: string) => Effect.ignore(attempt(() => Fs.unlink(path)))

/** `false` when something lies there, or `undefined` where the file system knows no links of sockets. */
const link = (from: string, to: string): Effect.Effect<boolean | undefined, Reason> =>
  attempt(() =>
    Fs.link(from, to).then(
      () => true,
      (error) => {
        if (codeOf(error) === "EEXIST") return false
        if (linkUnsupported.has(codeOf(error))) return undefined
        throw error
      }
    )
  )

const linkUnsupported = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"])

/**
 * Takes a stale file away. Between the probe and now another may have put his own in its place: so it is moved aside,
 * which only one can do, asked once more under its new name, and put back if somebody answers.
 */
const takeAway = Effect.fnUntraced(function* (path: string): Effect.fn.Return<void, Reason> {
  const aside = temporaryPath(path)
  const moved = yield* attempt(() =>
    Fs.rename(path, aside).then(
      () => true,
      (error) => (codeOf(error) === "ENOENT" ? false : Promise.reject(error))
    )
  )
  if (!moved) return
  const isStale = (yield* Effect.orElseSucceed(probe(aside), () => "alive")) !== "alive"
  if (!isStale && (yield* link(aside, path)) === undefined) yield* attempt(() => Fs.rename(aside, path))
  yield* removed(aside)
  if (!isStale) return yield* Effect.fail(new AddressInUse())
})

/** Who finds a stale file again and again is in a race that others win. */
const linkAttemptsMax = 5

const place = Effect.fnUntraced(function* (temporary: string, path: string): Effect.fn.Return<void, Reason> {
  for (let tries = 0; tries < linkAttemptsMax; tries++) {
    const linked = yield* link(temporary, path)
    if (linked === undefined) return yield* attempt(() => Fs.rename(temporary, path))
    if (linked) return yield* removed(temporary)
    if ((yield* examine(path)) === "stale") yield* takeAway(path)
  }
  return yield* Effect.fail(new AddressInUse())
})

/** Within a process one after the other, so that none moves a file aside while two others look. */
const turns = Semaphore.makeUnsafe(1)

/** Puts the listening file in its place, and says which one it is. */
export const publish = Effect.fnUntraced(function* (
  temporary: string,
  path: string,
  mode: number | undefined
): Effect.fn.Return<number, Reason> {
  if (mode !== undefined) yield* attempt(() => Fs.chmod(temporary, mode))
  const { ino } = yield* attempt(() => Fs.stat(temporary))
  yield* turns.withPermits(1)(place(temporary, path))
  return ino
})

/** Removes the file, if it is still the one that was put there. */
const unlinkOwn = (path: string, inode: number): void => {
  try {
    if (statSync(path).ino === inode) unlinkSync(path)
  } catch {
    // Gone already, or no longer ours to remove: either way there is nothing left to do.
  }
}

/** Of all listeners of the process: one listener for its exit each would be warned of as a leak. */
const atExit = new Set<() => void>()

const onExit = (): void => {
  for (const unlink of atExit) unlink()
}

/** Removes the file when the process exits without having closed its listener; the result takes that back. */
export const unlinkAtExit = (path: string, inode: number): (() => void) => {
  const unlink = () => unlinkOwn(path, inode)
  if (atExit.size === 0) process.on("exit", onExit)
  atExit.add(unlink)
  return () => {
    atExit.delete(unlink)
    if (atExit.size === 0) process.off("exit", onExit)
    unlink()
  }
}
