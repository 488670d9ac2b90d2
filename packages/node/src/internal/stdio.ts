/**
 * The last words of a process: `process.exit` drops what its pipes have not taken yet.
 */

/** A reader that has taken nothing for so long must not keep a process that is done. */
const stalledMillis = 1000

export const flushed = (then: () => void): void => {
  const streams = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0)
  const left = new Set(streams)
  if (left.size === 0) return then()
  for (const stream of streams) {
    const done = () => {
      if (left.delete(stream) && left.size === 0) then()
    }
    // A reader that is gone is no reason to fail now.
    stream.on("error", done)
    stream.write("", done)
  }
  const pending = () => streams.reduce((sum, stream) => sum + stream.writableLength, 0)
  let before = pending()
  setInterval(() => {
    const now = pending()
    if (now === before) then()
    before = now
  }, stalledMillis)
}
