import { bytesFromText, type ByteString, textFromBytes } from '../../base/bytes.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { fenceCompare } from '../fencing.ts'
import { shortText } from '../names.ts'
import { readWholeRange } from '../range-pages.ts'
import { decodeLockEntry, encodeLockEntry } from './lock-entry.ts'
import type { Party } from './party.ts'

/** The record of a forced release. Kept for 30 days. */
export interface ForcedRelease<P extends Party = Party> {
  readonly name: string
  readonly token: number
  readonly by: string
  readonly reason: string
  readonly atMs: number
  readonly holder: P
}

export interface ForceReleaseOptions {
  /** Who does it, for the record. */
  readonly by: string
  readonly reason: string
  /** Only if it is held with this token. Must be given where several hold. */
  readonly token?: number
}

/** A name of which somebody is to be put out. */
export interface ForcedName<P extends Party> {
  readonly name: string
  /** For messages: `lock "orders"`. */
  readonly what: string
  readonly holders: readonly KeyValue[]
  readonly partyOf: (kv: KeyValue) => P
  readonly auditKey: (token: number) => ByteString
}

export const auditKeptMs = 30 * 86_400_000

/**
 * Takes a right from one of its holders. The record and, in the holder's key, the order to leave are written at one revision: a holder that listens gives
 * the right up on reading it, before the next one starts; the key of one that does not is deleted afterwards.
 */
export async function releaseByForce<P extends Party>(
  { store, world }: { readonly store: Store; readonly world: World },
  target: ForcedName<P>,
  options: ForceReleaseOptions,
): Promise<ForcedRelease<P>> {
  const by = requiredText('by', options.by)
  const reason = requiredText('reason', options.reason)
  const holder = holderMeant(target, options.token)
  const token = holder.createRevision
  const record = {
    name: target.name,
    token,
    by,
    reason,
    atMs: world.clock.wallMs(),
    holder: target.partyOf(holder),
  }
  const entry = decodeLockEntry(holder.value) ?? { ttlMs: 0, queuedAtMs: 0 }
  const order = encodeLockEntry({ ...entry, forced: { by, reason } })
  const audit = await store.grantLease({ ttlMs: auditKeptMs })
  const value = bytesFromText(JSON.stringify(record))
  const reply = await store.txn({
    compare: [fenceCompare({ key: holder.key, token })],
    then: [
      { op: 'put', key: holder.key, value: order, lease: 'keep' },
      { op: 'put', key: target.auditKey(token), value, lease: audit.lease },
    ],
  })
  if (!reply.succeeded) {
    await store.revokeLease(audit.lease)
    throw holderChanged(target, token)
  }
  await store.txn({ then: [{ op: 'delete', key: holder.key }] })
  world.logger.log('warn', 'a hold was released by force', { what: target.what, token, by, reason })
  return record
}

/** The records of a range, oldest first. */
export async function recordsIn<T>(
  store: Store,
  range: { readonly key: ByteString; readonly end: ByteString },
): Promise<readonly T[]> {
  const { kvs } = await readWholeRange(store, range)
  return kvs.flatMap(({ value }) => {
    try {
      return [JSON.parse(textFromBytes(value)) as T]
    } catch {
      return []
    }
  })
}

export function requiredText(field: string, text: string): string {
  const checked = shortText(field, text, 512)
  if (checked === undefined || checked.length === 0) throw invalidArgument(field, text, 'a text')
  return checked
}

function holderMeant<P extends Party>(target: ForcedName<P>, token: number | undefined): KeyValue {
  const [first, ...others] = target.holders
  if (first === undefined) {
    throw new AlthingError('not-found', `nobody holds ${target.what}`, { outcome: 'none' })
  }
  if (token === undefined) {
    if (others.length === 0) return first
    const tokens = target.holders.map(({ createRevision }) => createRevision)
    const shown = tokens.length > 5 ? `${tokens.slice(0, 5).join(', ')}, ...` : tokens.join(', ')
    throw invalidArgument('token', token, `that of one of the ${tokens.length} holders (${shown})`)
  }
  const meant = target.holders.find(({ createRevision }) => createRevision === token)
  if (meant === undefined) throw holderChanged(target, token)
  return meant
}

function holderChanged<P extends Party>({ name, what }: ForcedName<P>, token: number): AlthingError {
  return new AlthingError('conflict', `${what} is not held with token ${token} any more`, {
    outcome: 'none',
    details: { name, token },
  })
}
