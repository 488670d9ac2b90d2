/** What the demo's servers are asked for. */
import type { Script } from "../profiles/Script.ts"

export const largeBytes = 32 * 1024 * 1024
export const answerBytes = 200 * 1024

export const script: Script = {
  quick: { send: "WORK 0\n", expect: { text: "DONE 0\n" } },
  slow: { send: "WORK 1200\n", expect: { text: "DONE 1200\n" } },
  large: { send: "DOWNLOAD\n", expect: { bytes: largeBytes } },
  upload: { send: "UPLOAD\n", expect: { bytes: answerBytes } },
  finalizer: { send: "GOODBYE\n", expect: { text: "OK\n" } }
}
