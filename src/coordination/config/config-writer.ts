import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import {
  limitsOf,
  type CallOptions,
  type Operation,
  type Store,
  type TxnReply,
} from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { type Fence, fencedTxn } from '../fencing.ts'
import { randomId, shortText } from '../names.ts'
import { readWholeRange } from '../range-pages.ts'
import { assertGlobalFits, assertServiceFits } from './config-check.ts'
import {
  type ConfigRecord,
  currentKey,
  currentRange,
  decodeRecord,
  emptyVersion,
  encodeRecord,
  globalScope,
  type HistoryEntry,
  historyKey,
  historyRange,
  scopeOfCurrentKey,
  type StoredVersion,
} from './config-record.ts'
import type { SecretBox } from './secret-box.ts'
import type { StandardSchema } from './standard-schema.ts'

/** Who changes a configuration, why, and on what condition. */
export interface ConfigWriteOptions extends CallOptions {
  /** Stands in the history: 1..128 characters. */
  readonly author: string
  /** Stands in the history: at most 1024 characters. Default: empty. */
  readonly message?: string
  /** Only if this is still the newest version (0: none yet), staged or not; otherwise `conflict`. Default: on top of whatever there is. */
  readonly expectedVersion?: number
  /** Only while this right is held, by the store's own order; otherwise `stale-token`. */
  readonly fence?: Fence
  /** Checks the merged view beside the schema that is stored. */
  readonly schema?: StandardSchema
}

export interface WriterParts {
  readonly store: Store
  readonly world: World
  readonly box: SecretBox
  /** Versions kept. */
  readonly historyMax: number
}

/** A record with what is to be written into the history beside it. */
export interface NextRecord {
  readonly record: ConfigRecord
  readonly entries: readonly HistoryEntry[]
  /** Versions that readers may come to run by this, and that must fit the schema. */
  readonly toCheck: readonly StoredVersion[]
}

/** Who, why and when, for whatever a step writes. */
export interface Signature {
  readonly author: string
  readonly message: string
  readonly atMs: number
}

export type ConfigStep = (before: ConfigRecord, signature: Signature) => NextRecord | Promise<NextRecord>

interface Read {
  readonly record: ConfigRecord | undefined
  readonly modRevision: number
  readonly global: ConfigRecord | undefined
  readonly globalModRevision: number
}

const attemptsMax = 20
/** Leaves room for two versions, schema and steps in a value of one MiB. */
const versionCharsMax = 262_144
const instancesMax = 1_000

/**
 * Applies one step to the record of a scope, in one transaction with its history, if nobody was faster; otherwise again on what there is then. The merged views that it leads to are checked before, and the
 * transaction is refused when the layers they were made of have changed since.
 */
export async function writeConfig(
  parts: WriterParts,
  scope: string,
  options: ConfigWriteOptions,
  step: ConfigStep,
): Promise<ConfigRecord> {
  const { store, world } = parts
  const signature = signatureOf(world, options)
  const call = callOf(options)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const read = await readForWrite(store, scope, call)
    const before = read.record ?? newRecord(world)
    assertExpected(scope, before, options.expectedVersion)
    const next = await step(before, signature)
    await checkNext(parts, scope, next, read, options)
    const reply = await apply(parts, scope, next, read, options)
    if (reply.succeeded) return next.record
  }
  throw new AlthingError(
    'conflict',
    `the configuration of ${scope} was changed by others each of ${attemptsMax} times`,
    { outcome: 'none' },
  )
}

export async function readRecord(
  store: Store,
  scope: string,
  options?: CallOptions,
): Promise<ConfigRecord | undefined> {
  const key = currentKey(scope)
  const { kvs } = await store.range({ key }, options)
  return kvs[0] === undefined ? undefined : decodeRecord(key, kvs[0].value)
}

async function readForWrite(store: Store, scope: string, options: CallOptions): Promise<Read> {
  const keys = [currentKey(scope), currentKey(globalScope)]
  const { replies } = await store.txn({ then: keys.map((key) => ({ op: 'range', key })) }, options)
  const [own, global] = replies.map((reply, i) => {
    const kv = reply.op === 'range' ? reply.kvs[0] : undefined
    return kv === undefined
      ? { record: undefined, modRevision: 0 }
      : { record: decodeRecord(keys[i] as string, kv.value), modRevision: kv.modRevision }
  })
  return {
    record: own?.record,
    modRevision: own?.modRevision ?? 0,
    global: global?.record,
    globalModRevision: global?.modRevision ?? 0,
  }
}

function newRecord(world: World): ConfigRecord {
  return { lineage: randomId(world), latest: 0, stable: emptyVersion }
}

function signatureOf(world: World, { author, message = '' }: ConfigWriteOptions): Signature {
  if (typeof author !== 'string' || author.length === 0 || author.length > 128)
    throw invalidArgument('author', author, '1..128 characters: who changes it')
  return { author, message: shortText('message', message, 1_024) ?? '', atMs: world.clock.wallMs() }
}

function callOf({ signal, timeoutMs }: CallOptions): CallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
}

function assertExpected(scope: string, { latest }: ConfigRecord, expected: number | undefined): void {
  if (expected === undefined || expected === latest) return
  throw new AlthingError(
    'conflict',
    `the configuration of ${scope} is at version ${latest}, not ${expected}: someone has changed it`,
    {
      outcome: 'none',
      details: { version: latest, expected },
    },
  )
}

async function checkNext(
  parts: WriterParts,
  scope: string,
  next: NextRecord,
  read: Read,
  options: ConfigWriteOptions,
): Promise<void> {
  const checks = { box: parts.box, schema: options.schema }
  for (const version of next.toCheck) {
    const { length } = JSON.stringify(version)
    if (length > versionCharsMax)
      throw new AlthingError(
        'too-large',
        `the configuration of ${scope} would have ${length} characters, more than ${versionCharsMax}`,
        { outcome: 'none' },
      )
    const instances = Object.keys(version.instances).length
    if (instances > instancesMax)
      throw new AlthingError(
        'too-large',
        `${instances} instances would have values of their own, more than ${instancesMax}`,
        { outcome: 'none' },
      )
    if (scope === globalScope) {
      await assertGlobalFits(version, next.record.schema, checks)
      await assertAllServicesFit(parts, { ...next.record, stable: version }, callOf(options))
    } else await assertServiceFits(scope, version, next.record.schema, read.global, checks)
  }
}

/** What a change of the global layer would do to each service. A service that changes at this very moment is judged by its readers. */
async function assertAllServicesFit(
  { store, box }: WriterParts,
  global: ConfigRecord,
  options: CallOptions,
): Promise<void> {
  const { kvs } = await readWholeRange(store, currentRange, options)
  const { staged: _, ...stableOnly } = global
  for (const kv of kvs) {
    const service = scopeOfCurrentKey(kv.key)
    if (service === globalScope) continue
    const { stable, staged, schema } = decodeRecord(kv.key, kv.value)
    for (const version of [stable, ...(staged === undefined ? [] : [staged.version])])
      await assertServiceFits(service, version, schema, stableOnly, { box })
  }
}

async function apply(
  parts: WriterParts,
  scope: string,
  next: NextRecord,
  read: Read,
  options: ConfigWriteOptions,
): Promise<TxnReply> {
  const { store, historyMax } = parts
  const key = currentKey(scope)
  const oldest = historyKey(scope, Math.max(0, next.record.latest - historyMax + 1))
  const then: Operation[] = [
    { op: 'put', key, value: encodeRecord(next.record) },
    ...next.entries.map(
      (entry): Operation => ({
        op: 'put',
        key: historyKey(scope, entry.version),
        value: encodeRecord(entry),
      }),
    ),
    { op: 'delete', key: historyRange(scope).key, end: oldest },
  ]
  const { valueBytesMax } = limitsOf(store.capabilities)
  for (const operation of then)
    if (operation.op === 'put' && operation.value.length > valueBytesMax)
      throw new AlthingError(
        'too-large',
        `the configuration of ${scope} is too large for this store (${valueBytesMax} bytes)`,
        { outcome: 'none' },
      )
  const compare = [
    { target: 'modRevision', key, op: '=', value: read.modRevision } as const,
    ...(scope === globalScope
      ? []
      : [
          {
            target: 'modRevision',
            key: currentKey(globalScope),
            op: '=',
            value: read.globalModRevision,
          } as const,
        ]),
  ]
  const request = { compare, then }
  if (options.fence === undefined) return await store.txn(request, callOf(options))
  return await fencedTxn(store, options.fence, request, callOf(options))
}
