/** What scenarios with large answers share: how large is large. */
import { NotRun, type Stage } from "../check/Stage.ts"
import type { Request } from "../profiles/Profile.ts"

/** Kernels take some megabytes for a client that does not read (Linux: 4 MB to send, 6 to receive). */
const leastBytes = 12 * 1024 * 1024

/** There is one that a client can leave unread. */
export const isLarge = ({ setting: { survey } }: Stage): boolean =>
  survey.requests.large !== undefined && survey.largeBytes >= leastBytes

export const largeRequest = (stage: Stage): Request => {
  const request = stage.request("large")
  if (!isLarge(stage)) {
    const megabytes = (stage.setting.survey.largeBytes / 1024 / 1024).toFixed(1)
    throw new NotRun(`the large answer has ${megabytes} MB; one of 12 or more is needed, or the kernel takes all of it`)
  }
  return request
}
