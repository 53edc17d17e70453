import type { LeaseId, LeaseStatus } from '../../contracts/store.ts'
import type { StoreModel } from '../../models/store/store-model.ts'

/** Which leases a page is to hold: those after `after`, at most `limit`. */
export interface LeasePageRequest {
  /** Default 0: from the first. */
  readonly after?: LeaseId
  /** Default, and at most, 10,000. */
  readonly limit?: number
}

/** In the order of their ids. */
export interface LeasePage {
  readonly leases: readonly LeaseStatus[]
  /** More come after the last of them. */
  readonly more: boolean
}

const leasesMax = 10_000
/** Of the keys of a page, so that it fits in a frame and is made in a few milliseconds. */
const keyBytesMax = 2 * 1024 * 1024
/** What a lease, or a key, takes beside the bytes of its key. */
const overheadBytes = 16

/** One page as the model has it now. A lease with more keys than a page holds is shown with the first of them (`moreKeys`). */
export function pageOfLeases(
  model: StoreModel,
  { after = 0, limit = leasesMax }: LeasePageRequest,
): LeasePage {
  const countMax = Math.min(limit < 1 ? leasesMax : limit, leasesMax)
  const leases: LeaseStatus[] = []
  let bytes = 0
  let more = false
  model.leases(after, (status) => {
    if (leases.length >= countMax || bytes >= keyBytesMax) {
      more = true
      return false
    }
    const shown = withinRoom(status, keyBytesMax - bytes)
    if (shown === undefined && leases.length > 0) {
      more = true
      return false
    }
    const lease = shown ?? cut(status)
    bytes += bytesOf(lease)
    leases.push(lease)
    return true
  })
  return { leases, more }
}

function withinRoom(status: LeaseStatus, roomBytes: number): LeaseStatus | undefined {
  return bytesOf(status) <= roomBytes ? status : undefined
}

function cut(status: LeaseStatus): LeaseStatus {
  let bytes = overheadBytes
  const end = status.keys.findIndex((key) => {
    bytes += key.length + overheadBytes
    return bytes > keyBytesMax
  })
  return { ...status, keys: status.keys.slice(0, end), moreKeys: true }
}

function bytesOf({ keys }: LeaseStatus): number {
  let bytes = overheadBytes
  for (const key of keys) bytes += key.length + overheadBytes
  return bytes
}

/** Reads page after page. */
export async function allLeases(
  page: (request: LeasePageRequest) => Promise<LeasePage>,
): Promise<readonly LeaseStatus[]> {
  const first = await page({})
  if (!first.more) return first.leases
  const all = [...first.leases]
  for (let more = true; more; ) {
    const after = all.at(-1)?.lease ?? 0
    const next = await page({ after })
    for (const status of next.leases) all.push(status)
    more = next.more && next.leases.length > 0
  }
  return all
}
