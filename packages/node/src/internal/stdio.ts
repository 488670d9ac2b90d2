/**
 * The last words of a process: `process.exit` drops what its pipes have not taken yet.
 */

/** A reader that has taken nothing for so long must not keep a process that is done. */
const stalledMillis = 1000

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
  const pending = () => streams.reduce((sum, stream) => sum + stream.writableLength, 0)
  let before = pending()
  setInterval(() => {
    const now = pending()
    if (now === before) then()
    before = now
  }, stalledMillis)
}
