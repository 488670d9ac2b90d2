/**
 * The last words of a process: `process.exit` drops what its pipes have not taken yet.
 */

/** A reader that has stopped reading must not keep a process that is done. */
const flushTimeoutMillis = 1000

export const flushed = (then: () => void): void => {
  const streams = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0)
  let left = streams.length
  if (left === 0) return then()
  const one = () => {
    if (--left === 0) then()
  }
  for (const stream of streams) {
    // A reader that is gone is no reason to fail now.
    stream.on("error", one)
    stream.write("", one)
  }
  setTimeout(then, flushTimeoutMillis).unref()
}
