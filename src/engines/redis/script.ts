import { createHash } from 'node:crypto'
import { changesMain } from './scripts/following.ts'
import { foundMain } from './scripts/founding.ts'
import {
  compactMain,
  keepAliveMain,
  leaseKeysMain,
  leasesMain,
  markMain,
  purgeMain,
  sweepMain,
} from './scripts/keeping.ts'
import { prelude, scanning, timekeeping } from './scripts/prelude.ts'
import { getsMain, pageMain, reading, readTxnMain, versionsMain } from './scripts/reading.ts'
import { applyMain, writing } from './scripts/writing.ts'

/** One atomic command of the store, as the server runs it. It is known there by its digest, and sent again where the server has forgotten it. */
export interface Script {
  readonly name: string
  readonly text: string
  readonly digest: string
}

/** What must go on where the memory is full: it makes room, or keeps what there is. */
const whereFull = '#!lua flags=allow-oom\n'

export const scripts = {
  found: script('found', whereFull, prelude, timekeeping, foundMain),
  apply: script('apply', prelude, timekeeping, scanning, reading, writing, applyMain),
  readTxn: script('readTxn', prelude, scanning, reading, readTxnMain),
  gets: script('gets', getsMain),
  page: script('page', prelude, scanning, pageMain),
  versions: script('versions', prelude, versionsMain),
  changes: script('changes', prelude, timekeeping, scanning, reading, changesMain),
  keepAlive: script('keepAlive', whereFull, prelude, timekeeping, keepAliveMain),
  sweep: script('sweep', whereFull, prelude, timekeeping, scanning, reading, writing, sweepMain),
  compact: script('compact', whereFull, prelude, compactMain),
  purge: script('purge', whereFull, prelude, timekeeping, scanning, purgeMain),
  mark: script('mark', whereFull, prelude, timekeeping, markMain),
  leases: script('leases', prelude, timekeeping, scanning, reading, writing, leasesMain),
  leaseKeys: script('leaseKeys', prelude, scanning, reading, writing, leaseKeysMain),
} as const

function script(name: string, ...parts: readonly string[]): Script {
  const text = parts.join('')
  return { name, text, digest: createHash('sha1').update(text).digest('hex') }
}
