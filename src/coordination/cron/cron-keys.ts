import { bytesFromText, type ByteString, textFromBytes } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Operation } from '../../contracts/store.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { keySegment, nameOfSegment } from '../names.ts'
import type { CronChange, CronState } from './cron-state.ts'
import type { CronPending, CronRecord } from './cron-types.ts'

/**
 * - `/althing/cron/schedules/NAME`: the {@link CronState}.
 * - `/althing/cron/runs/NAME/ID.ATTEMPT`: a run under way, on the lease of its instance; its create revision is the token.
 * - `/althing/cron/clocks/ID`: an instance and its clock, on a lease.
 * - `/althing/cron-history/NAME/NUMBER`: the last records.
 */
export const cronRange = prefixRange('/althing/cron/')
export const schedulesPrefix: ByteString = '/althing/cron/schedules/'
export const clocksPrefix: ByteString = '/althing/cron/clocks/'

export function scheduleKey(name: string): ByteString {
  return schedulesPrefix + keySegment('name', name)
}

export function scheduleNameOf(key: ByteString): string {
  return nameOfSegment(key.slice(schedulesPrefix.length))
}

export function runKey(name: string, { id, attempt }: Pick<CronPending, 'id' | 'attempt'>): ByteString {
  return `/althing/cron/runs/${keySegment('name', name)}/${id}.${attempt}`
}

export function historyRange(name: string): { readonly key: ByteString; readonly end: ByteString } {
  return prefixRange(`/althing/cron-history/${keySegment('name', name)}/`)
}

/** The state after the change, its records, and the end of those for which there is no room any more. */
export function changeOperations(name: string, change: CronChange): Operation[] {
  const { state, records } = change
  const { key: prefix } = historyRange(name)
  const recordKey = (number: number): ByteString => prefix + String(number).padStart(16, '0')
  const operations: Operation[] = [{ op: 'put', key: scheduleKey(name), value: encode(state) }]
  if (records.length === 0) return operations
  const firstKept = state.records - state.definition.historyMax
  if (firstKept > 0) operations.push({ op: 'delete', key: prefix, end: recordKey(firstKept) })
  const first = state.records - records.length
  for (const [index, record] of records.entries()) {
    const number = first + index
    if (number >= firstKept) operations.push({ op: 'put', key: recordKey(number), value: encode(record) })
  }
  return operations
}

export function decodeState({ key, value }: KeyValue): CronState {
  const state = decode(value) as Partial<CronState> | undefined
  const isState =
    typeof state?.definition === 'object' &&
    typeof state.decidedUntilMs === 'number' &&
    Array.isArray(state.waiting) &&
    Array.isArray(state.running)
  if (isState) return state as CronState
  throw new AlthingError('corrupt', `${key} is not what this package writes: it is no state of a schedule`, {
    outcome: 'none',
    details: { key },
  })
}

/** Undefined for what this package did not write. */
export function decodeRecord({ value }: KeyValue): CronRecord | undefined {
  const record = decode(value) as Partial<CronRecord> | undefined
  return typeof record?.id === 'string' && typeof record.outcome === 'string'
    ? (record as CronRecord)
    : undefined
}

function encode(value: unknown): Uint8Array {
  return bytesFromText(JSON.stringify(value))
}

function decode(value: Uint8Array): unknown {
  try {
    const decoded: unknown = JSON.parse(textFromBytes(value))
    return typeof decoded === 'object' && decoded !== null ? decoded : undefined
  } catch {
    return undefined
  }
}
