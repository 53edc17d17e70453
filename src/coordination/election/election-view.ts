import { bytesFromText, textFromBytes, type ByteString } from '../../base/bytes.ts'
import type { Compare, KeyValue, LeaseId, Operation } from '../../contracts/store.ts'
import type { Candidate, Leader } from './election-types.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { keySegment, nameOfSegment } from '../names.ts'
import { byCreation } from '../range-pages.ts'

/**
 * The keys of an election and what they mean. Each hangs on the lease of the one whom it names.
 *
 * - `.../leader`: who leads. Its create revision is the term: the key is made anew for each leader, so terms only grow and no two leaders share one.
 * - `.../heir`: the candidate whom the last leader named. While it is there, no other may take the seat.
 * - `.../candidates/ID`: who waits, in the order of the create revisions.
 */
export interface ElectionKeys {
  readonly range: { readonly key: ByteString; readonly end: ByteString }
  readonly leader: ByteString
  readonly heir: ByteString
  candidate(id: string): ByteString
}

export interface ElectionEntry {
  readonly candidate: string
  readonly value: string
  /** Campaign begun, or elected: wall time. */
  readonly atMs: number
}

/** The parts of an election's range. */
export interface ElectionView {
  readonly leader: KeyValue | undefined
  readonly heir: KeyValue | undefined
  /** In the order in which they are to lead. */
  readonly candidates: readonly KeyValue[]
}

export function electionKeys(name: string): ElectionKeys {
  const prefix = `/althing/elections/${keySegment('name', name)}/`
  return {
    range: prefixRange(prefix),
    leader: `${prefix}leader`,
    heir: `${prefix}heir`,
    candidate: (id) => `${prefix}candidates/${keySegment('candidate', id)}`,
  }
}

export function electionView(keys: ElectionKeys, kvs: ReadonlyMap<ByteString, KeyValue>): ElectionView {
  const candidatesPrefix = `${keys.range.key}candidates/`
  return {
    leader: kvs.get(keys.leader),
    heir: kvs.get(keys.heir),
    candidates: byCreation([...kvs.values()].filter((kv) => kv.key.startsWith(candidatesPrefix))),
  }
}

/** True when the seat is free and it is the turn of the candidate with this key. */
export function isTurnOf(view: ElectionView, own: KeyValue): boolean {
  if (view.leader !== undefined) return false
  if (view.heir !== undefined) return view.heir.lease === own.lease
  return view.candidates[0]?.key === own.key
}

/** Takes the seat, if by the store's order it is still free and the own candidacy still stands. */
export function takeSeat(
  keys: ElectionKeys,
  view: ElectionView,
  own: KeyValue,
  entry: ElectionEntry,
): { readonly compare: readonly Compare[]; readonly then: readonly Operation[] } {
  const heirRevision = view.heir?.createRevision ?? 0
  const put: Operation = { op: 'put', key: keys.leader, value: encodeElectionEntry(entry), lease: own.lease }
  return {
    compare: [
      { target: 'createRevision', key: keys.leader, op: '=', value: 0 },
      { target: 'createRevision', key: keys.heir, op: '=', value: heirRevision },
      { target: 'createRevision', key: own.key, op: '=', value: own.createRevision },
    ],
    then: [put, { op: 'delete', key: own.key }, ...(heirRevision === 0 ? [] : [deleteOf(keys.heir)])],
  }
}

/** Leaves the seat to a candidate: to be applied under the fence of the leader. */
export function nameHeir(
  keys: ElectionKeys,
  candidate: {
    readonly key: ByteString
    readonly createRevision: number
    readonly lease: LeaseId
    id: string
  },
): { readonly compare: readonly Compare[]; readonly then: readonly Operation[] } {
  return {
    compare: [{ target: 'createRevision', key: candidate.key, op: '=', value: candidate.createRevision }],
    then: [
      { op: 'put', key: keys.heir, value: bytesFromText(candidate.id), lease: candidate.lease },
      deleteOf(keys.leader),
    ],
  }
}

export function encodeElectionEntry(entry: ElectionEntry): Uint8Array {
  return bytesFromText(JSON.stringify(entry))
}

/** Undefined when there is no leader, or its value is not what this package writes. */
export function leaderOf(kv: KeyValue | undefined): Leader | undefined {
  if (kv === undefined) return undefined
  const entry = decodeElectionEntry(kv.value)
  if (entry === undefined) return undefined
  const { candidate, value, atMs } = entry
  return { term: kv.createRevision, candidate, value, electedAtMs: atMs }
}

export function candidateOf(keys: ElectionKeys, kv: KeyValue, heir: KeyValue | undefined): Candidate {
  const id = nameOfSegment(kv.key.slice(`${keys.range.key}candidates/`.length))
  return {
    candidate: id,
    since: decodeElectionEntry(kv.value)?.atMs ?? 0,
    isHeir: heir !== undefined && heir.lease === kv.lease,
  }
}

function decodeElectionEntry(value: Uint8Array): ElectionEntry | undefined {
  try {
    const entry = JSON.parse(textFromBytes(value)) as Partial<ElectionEntry> | null
    const isEntry = typeof entry?.candidate === 'string' && typeof entry.value === 'string'
    return isEntry ? { candidate: entry.candidate, value: entry.value, atMs: Number(entry.atMs) } : undefined
  } catch {
    return undefined
  }
}

function deleteOf(key: ByteString): Operation {
  return { op: 'delete', key }
}
