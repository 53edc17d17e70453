import { bytesFromText, textFromBytes } from '../base/bytes.ts'
import { AlthingError } from '../contracts/errors.ts'
import type { KeyValue } from '../contracts/store.ts'
import { keySegment } from '../coordination/names.ts'
import { layoutOf, type SnowflakeLayout } from '../protocols/snowflake/layout.ts'

/** How many former holders of a worker id are remembered. */
export const holdersMax = 16

/** The high-water mark of a worker id: every id given with it has a time below `until`. Kept for ever. */
export interface WorkerMark {
  /** Id time, exclusive. */
  readonly until: number
  /** Of the holder that wrote it. */
  readonly token: number
  /** Tells one write from another. */
  readonly nonce: string
}

/** Who had a worker id: all ids with a time in `from <= time < until`. */
export interface WorkerTenure {
  readonly label: string
  readonly from: number
  /** Absent for the last holder: as far as the mark. */
  readonly until?: number
}

/** The keys of one namespace. */
export class WorkerKeys {
  readonly #prefix: string

  constructor(namespace: string) {
    this.#prefix = `/althing/ids/snowflake/${keySegment('namespace', namespace)}`
  }

  get layout(): string {
    return `${this.#prefix}/layout`
  }

  /** Exists, on a lease, exactly as long as the worker id is held. */
  held(datacentre: number, worker: number): string {
    return `${this.heldPrefix(datacentre)}${digits(worker)}`
  }

  heldPrefix(datacentre: number): string {
    return `${this.#prefix}/held/${digits(datacentre)}/`
  }

  mark(datacentre: number, worker: number): string {
    return `${this.markPrefix(datacentre)}${digits(worker)}`
  }

  markPrefix(datacentre: number): string {
    return `${this.#prefix}/marks/${digits(datacentre)}/`
  }

  history(datacentre: number, worker: number): string {
    return `${this.#prefix}/history/${digits(datacentre)}/${digits(worker)}`
  }
}

function digits(index: number): string {
  return String(index).padStart(5, '0')
}

/** The worker of a key under {@link WorkerKeys.heldPrefix} or {@link WorkerKeys.markPrefix}. */
export function workerOfKey(key: string): number {
  return Number(key.slice(-5))
}

export function encodeRecord(record: WorkerMark | SnowflakeLayout | readonly WorkerTenure[]): Uint8Array {
  return bytesFromText(JSON.stringify(record))
}

export function decodeMark(kv: KeyValue): WorkerMark {
  const { until, token, nonce } = parsed(kv) as Partial<WorkerMark>
  if (!Number.isSafeInteger(until) || typeof token !== 'number' || typeof nonce !== 'string')
    throw corrupt(kv)
  return { until: until as number, token, nonce }
}

export function decodeHistory(kv: KeyValue | undefined): readonly WorkerTenure[] {
  if (kv === undefined) return []
  const tenures = parsed(kv)
  if (!Array.isArray(tenures)) throw corrupt(kv)
  return tenures as readonly WorkerTenure[]
}

export function decodeLayout(kv: KeyValue): SnowflakeLayout {
  return layoutOf(parsed(kv) as Partial<SnowflakeLayout>)
}

function parsed(kv: KeyValue): unknown {
  try {
    const value: unknown = JSON.parse(textFromBytes(kv.value))
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Told below.
  }
  throw corrupt(kv)
}

/** Nothing may be given on the strength of a mark that cannot be read. */
function corrupt(kv: KeyValue): AlthingError {
  return new AlthingError('corrupt', `the value of ${kv.key} is not what this version writes there`, {
    outcome: 'none',
    details: { key: kv.key },
  })
}
