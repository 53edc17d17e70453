import { type ByteString, prefixEnd } from '../../../base/bytes.ts'
import type {
  Compare,
  KeyRange,
  KeyValue,
  Operation,
  OperationReply,
  RangeRequest,
  TxnRequest,
  WatchBatch,
  WatchEvent,
} from '../../../contracts/store.ts'
import { bytesOf } from '../plain.ts'
import type {
  DrawnCompare,
  DrawnKeys,
  DrawnOperation,
  DrawnRange,
  LeaseReference,
  RevisionReference,
} from './command.ts'

/** Far from what any store has given out. */
const unknownLease = 2 ** 52 + 4_321

/** The same thing as one side calls it: the model, whose keys are bare names and whose first revision is 1, or the engine. */
export interface Terms {
  key(name: ByteString): ByteString
  /** Of the end of all the run's keys. */
  readonly end: ByteString | null
  revision(ofModel: number): number
  lease(ofModel: number): number
}

/** What references mean at one moment, in the model's terms. */
export interface Moment {
  readonly revision: number
  /** By the order of their grants. */
  readonly leases: readonly number[]
}

export const modelTerms: Terms = {
  key: (name) => name,
  end: null,
  revision: (revision) => revision,
  lease: (lease) => lease,
}

/** How the engine calls things, and back. */
export class EngineTerms implements Terms {
  readonly prefix: ByteString
  readonly end: ByteString | null
  readonly #offset: number
  readonly #leases = new Map<number, number>()
  readonly #modelLeases = new Map<number, number>()

  /** `revision` of the engine is the model's first one. */
  constructor(prefix: ByteString, revision: number) {
    this.prefix = prefix
    this.end = prefixEnd(prefix) ?? null
    this.#offset = revision - 1
  }

  key(name: ByteString): ByteString {
    return this.prefix + name
  }

  revision(ofModel: number): number {
    return ofModel + this.#offset
  }

  lease(ofModel: number): number {
    return this.#leases.get(ofModel) ?? ofModel
  }

  granted(ofModel: number, ofEngine: number): void {
    this.#leases.set(ofModel, ofEngine)
    this.#modelLeases.set(ofEngine, ofModel)
  }

  modelRevision(ofEngine: number): number {
    return ofEngine - this.#offset
  }

  /** `undefined` for one that was not granted in this run. */
  modelLease(ofEngine: number): number | undefined {
    return ofEngine === 0 ? 0 : this.#modelLeases.get(ofEngine)
  }

  name(key: ByteString): ByteString {
    return key.startsWith(this.prefix) ? key.slice(this.prefix.length) : `not of the run: ${key}`
  }

  modelKeyValue(kv: KeyValue): KeyValue {
    return {
      key: this.name(kv.key),
      value: kv.value,
      createRevision: this.modelRevision(kv.createRevision),
      modRevision: this.modelRevision(kv.modRevision),
      version: kv.version,
      lease: this.modelLease(kv.lease) ?? -1,
    }
  }

  modelReply(reply: OperationReply): OperationReply {
    if (reply.op === 'range') return { ...reply, kvs: reply.kvs.map((kv) => this.modelKeyValue(kv)) }
    if (reply.previous === undefined) return reply
    if (reply.op === 'put') return { ...reply, previous: this.modelKeyValue(reply.previous) }
    return { ...reply, previous: reply.previous.map((kv) => this.modelKeyValue(kv)) }
  }

  modelBatch(batch: WatchBatch): WatchBatch {
    const revision = this.modelRevision(batch.revision)
    if (batch.kind === 'events') {
      return { ...batch, revision, events: batch.events.map((event) => this.#modelEvent(event)) }
    }
    if (batch.kind !== 'resync') return { ...batch, revision }
    return {
      ...batch,
      revision,
      fromRevision: this.modelRevision(batch.fromRevision),
      kvs: batch.kvs.map((kv) => this.modelKeyValue(kv)),
    }
  }

  #modelEvent(event: WatchEvent): WatchEvent {
    const previous = event.previous === undefined ? {} : { previous: this.modelKeyValue(event.previous) }
    if (event.type === 'put') return { type: 'put', kv: this.modelKeyValue(event.kv), ...previous }
    const { key, modRevision } = event
    return { type: 'delete', key: this.name(key), modRevision: this.modelRevision(modRevision), ...previous }
  }
}

export function resolveKeys(keys: DrawnKeys, terms: Terms): KeyRange {
  const key = terms.key(keys.key)
  if (keys.end === undefined) return { key }
  return { key, end: keys.end === null ? terms.end : terms.key(keys.end) }
}

export function resolveRange(range: DrawnRange, moment: Moment, terms: Terms): RangeRequest {
  const { keys, limit, order, keysOnly, countOnly, at } = range
  return {
    ...resolveKeys(keys, terms),
    limit,
    order,
    keysOnly,
    countOnly,
    ...(at === undefined ? {} : { revision: terms.revision(resolveRevision(at, moment)) }),
  }
}

/** In the model's terms. */
export function resolveRevision({ back }: RevisionReference, { revision }: Moment): number {
  return Math.max(1, revision - back)
}

/** In the model's terms. */
export function resolveLease(lease: LeaseReference, { leases }: Moment): number {
  return lease === 'unknown' ? unknownLease : (leases.at(-1 - lease.ago) ?? unknownLease)
}

export function resolveTxn(
  txn: {
    readonly compare: readonly DrawnCompare[]
    readonly then: readonly DrawnOperation[]
    readonly else: readonly DrawnOperation[]
  },
  moment: Moment,
  terms: Terms,
): Required<TxnRequest> {
  const operations = (drawn: readonly DrawnOperation[]): Operation[] =>
    drawn.map((operation) => resolveOperation(operation, moment, terms))
  return {
    compare: txn.compare.map((compare) => resolveCompare(compare, moment, terms)),
    then: operations(txn.then),
    else: operations(txn.else),
  }
}

function resolveOperation(drawn: DrawnOperation, moment: Moment, terms: Terms): Operation {
  if (drawn.op === 'range') return { op: 'range', ...resolveRange(drawn, moment, terms) }
  const { previous } = drawn
  if (drawn.op === 'delete') return { op: 'delete', ...resolveKeys(drawn.keys, terms), previous }
  const { lease } = drawn
  return {
    op: 'put',
    key: terms.key(drawn.key),
    value: bytesOf(drawn.value),
    previous,
    lease: lease === 'keep' ? 'keep' : lease === 'none' ? 0 : terms.lease(resolveLease(lease, moment)),
  }
}

function resolveCompare(drawn: DrawnCompare, moment: Moment, terms: Terms): Compare {
  const { op } = drawn
  const key = terms.key(drawn.key)
  switch (drawn.target) {
    case 'value':
      return { target: 'value', key, op, value: bytesOf(drawn.value) }
    case 'version':
      return { target: 'version', key, op, value: drawn.value }
    case 'lease': {
      const value = drawn.value === 'none' ? 0 : terms.lease(resolveLease(drawn.value, moment))
      return { target: 'lease', key, op, value }
    }
    default: {
      // 0 stands for a missing key, on both sides.
      const value = drawn.value === 0 ? 0 : terms.revision(resolveRevision(drawn.value, moment))
      return { target: drawn.target, key, op, value }
    }
  }
}
