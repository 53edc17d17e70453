import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { CallOptions, Store } from '../contracts/store.ts'
import {
  defaultLayout,
  parseSnowflake,
  type SnowflakeLayout,
  type SnowflakeParts,
  snowflakeOf,
  snowflakeText,
} from '../protocols/snowflake/layout.ts'
import { isUlid, isUuid, parseUuid, ulidTimeMs, type UuidParts } from './uuids.ts'
import { decodeHistory, decodeLayout, decodeMark, WorkerKeys } from './worker-records.ts'

/** Who had the worker id of an id at the time of the id. */
export interface IdHolder {
  /** What it called itself; by default its host and process. */
  readonly label: string
  /** Its ids have a time from here, in milliseconds since 1970. */
  readonly fromMs: number
  /** And below this. */
  readonly untilMs: number
  /** Nobody has had the worker id after it. */
  readonly isLatest: boolean
}

export interface SnowflakeExplanation extends Omit<SnowflakeParts, 'time'> {
  readonly kind: 'snowflake'
  /** 19 digits. */
  readonly text: string
  /** Milliseconds since 1970. */
  readonly timeMs: number
  readonly layout: SnowflakeLayout
  /** Absent without a store, and for an id of which the store knows (no more, or never did) who could have given it. */
  readonly holder?: IdHolder
}

export interface UuidExplanation extends UuidParts {
  readonly kind: 'uuid'
}

export interface UlidExplanation {
  readonly kind: 'ulid'
  readonly timeMs: number
}

export type IdExplanation = SnowflakeExplanation | UuidExplanation | UlidExplanation

/** What an id says of itself, without a store; its kind is seen by its form. Throws `invalid-argument` for what is none of them. */
export function explainId(id: bigint | string, layout: SnowflakeLayout = defaultLayout): IdExplanation {
  if (typeof id === 'string' && isUuid(id)) return { kind: 'uuid', ...parseUuid(id) }
  if (typeof id === 'string' && isUlid(id)) return { kind: 'ulid', timeMs: ulidTimeMs(id) }
  const isNumber = typeof id === 'bigint' || (typeof id === 'string' && /^\d{1,19}$/.test(id))
  if (!isNumber)
    throw invalidArgument('id', id, 'a snowflake (up to 19 digits), a UUID, or a ULID (26 characters)')
  const { time, ...rest } = parseSnowflake(id, layout)
  return {
    kind: 'snowflake',
    text: snowflakeText(snowflakeOf(id)),
    timeMs: layout.epochMs + time,
    ...rest,
    layout,
  }
}

/** As {@link explainId}, with the layout of the namespace and who held the worker id then, as the store knows them. */
export async function explainIdIn(
  store: Store,
  namespace: string,
  id: bigint | string,
  options?: CallOptions,
): Promise<IdExplanation> {
  const keys = new WorkerKeys(namespace)
  const kept = (await store.range({ key: keys.layout }, options)).kvs[0]
  const explanation = explainId(id, kept === undefined ? defaultLayout : decodeLayout(kept))
  if (explanation.kind !== 'snowflake') return explanation
  const holder = await holderOf(store, keys, explanation, options)
  return holder === undefined ? explanation : { ...explanation, holder }
}

async function holderOf(
  store: Store,
  keys: WorkerKeys,
  { datacentre, worker, timeMs, layout }: SnowflakeExplanation,
  options?: CallOptions,
): Promise<IdHolder | undefined> {
  const reply = await store.txn(
    {
      then: [
        { op: 'range', key: keys.history(datacentre, worker) },
        { op: 'range', key: keys.mark(datacentre, worker) },
      ],
    },
    options,
  )
  const [history, mark] = reply.replies.map((each) => (each.op === 'range' ? each.kvs[0] : undefined))
  if (mark === undefined) return undefined
  const until = decodeMark(mark).until
  const time = timeMs - layout.epochMs
  const tenures = decodeHistory(history)
  const at = tenures.findLastIndex((tenure) => tenure.from <= time && time < (tenure.until ?? until))
  const found = tenures[at]
  if (found === undefined) return undefined
  return {
    label: found.label,
    fromMs: layout.epochMs + found.from,
    untilMs: layout.epochMs + (found.until ?? until),
    isLatest: at === tenures.length - 1,
  }
}

export function layoutConflict(
  namespace: string,
  kept: SnowflakeLayout,
  wanted: SnowflakeLayout,
): AlthingError {
  return new AlthingError(
    'conflict',
    `the ids of '${namespace}' have the layout ${JSON.stringify(kept)}, not ${JSON.stringify(wanted)}: ids of two layouts could be the same`,
    { outcome: 'none', details: { namespace, kept, wanted } },
  )
}
