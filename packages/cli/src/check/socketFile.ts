/** What a Unix socket leaves in the file system. */
import { lstatSync, unlinkSync } from "node:fs"

export const isSocket = (path: string): boolean => {
  try {
    return lstatSync(path).isSocket()
  } catch {
    return false
  }
}

/** Of a server that is gone, and nothing but a socket. */
export const removeSocket = (path: string): void => {
  if (!isSocket(path)) return
  try {
    unlinkSync(path)
  } catch {
    // Somebody else was first, or may and we may not.
  }
}
