import type { Deferred } from '../../base/deferred.ts'
import type { GroupId } from '../group-id.ts'
import { type Item, itemBytes } from './items.ts'

/** Items that enter the log together; `done` only with the last piece of a large append. */
export interface Job {
  readonly group: GroupId
  readonly items: readonly Item[]
  readonly bytes: number
  readonly done?: Deferred<void>
}

/** None for no items. A piece has one item at least, and takes no more than `bytesMax` with more. */
export function splitIntoJobs(group: GroupId, items: readonly Item[], bytesMax: number): Job[] {
  const jobs: Job[] = []
  let gathered: Item[] = []
  let bytes = 0
  for (const item of items) {
    const length = itemBytes(item)
    if (gathered.length > 0 && bytes + length > bytesMax) {
      jobs.push({ group, items: gathered, bytes })
      gathered = []
      bytes = 0
    }
    gathered.push(item)
    bytes += length
  }
  if (gathered.length > 0) jobs.push({ group, items: gathered, bytes })
  return jobs
}
