import type { ErrorCode } from '../../contracts/errors.ts'
import type {
  Compare,
  KeyRange,
  KeyValue,
  Operation,
  OperationReply,
  WatchEvent,
} from '../../contracts/store.ts'
import type { StoreModelLimits } from './limits.ts'
import type { StoreCommand, StoreMutation, StoreReply } from './types.ts'

/** What the twin says of a reply: errors by code and outcome only. */
export type NaiveReply = Exclude<StoreReply, { ok: false }> | { ok: false; code: ErrorCode; outcome: string }

type Keys = ReadonlyMap<string, KeyValue>

class Refused {
  readonly code: ErrorCode
  constructor(code: ErrorCode) {
    this.code = code
  }
}

interface NaiveSession {
  readonly id: number
  readonly owner: string
  acknowledged: number
  replies: [sequence: number, reply: NaiveReply][]
}

/**
 * The store as one would write it with no thought of speed: a whole copy of the keys for each revision. Events are the difference of two copies; the keys
 * of a lease are found by looking at all of them.
 */
export class NaiveStore {
  readonly #limits: StoreModelLimits
  /** By revision. */
  states: Keys[] = [new Map(), new Map()]
  compactRevision = 0
  quotaBytes = 0
  leases: [lease: number, ttlMs: number][] = []
  #leasesGranted = 0
  /** Least recently used first. */
  sessions: NaiveSession[] = []
  #sessionsOpened = 0

  constructor(limits: StoreModelLimits) {
    this.#limits = limits
  }

  get revision(): number {
    return this.states.length - 1
  }

  get keys(): Keys {
    return this.states[this.revision] as Keys
  }

  apply(command: StoreCommand): NaiveReply {
    switch (command.type) {
      case 'openSession':
        return { ok: true, type: 'openSession', session: this.#open(command.ownerKey) }
      case 'expireLeases':
        return this.#expire(command.leases)
      case 'closeSession':
        this.sessions = this.sessions.filter(({ id }) => id !== command.session)
        return { ok: true, type: 'closeSession' }
      case 'setQuota':
        this.quotaBytes = command.bytes
        return { ok: true, type: 'setQuota', quotaBytes: command.bytes }
      case 'checkpoint':
        return { ok: true, type: 'checkpoint', revision: this.revision, hash: '', sessionsHash: '' }
      default:
        return command.session === 0 ? this.#mutate(command) : this.#once(command)
    }
  }

  rangeAt(range: KeyRange, revision: number): KeyValue[] {
    return sortedIn(this.states[revision] as Keys, range)
  }

  /** The formula of `store-size.ts`, counted over again: every version that is current or that an event after the compaction replaced. */
  get bytes(): number {
    const held = new Set<KeyValue>(this.keys.values())
    let events = 0
    for (let revision = Math.max(2, this.compactRevision + 1); revision <= this.revision; revision++) {
      for (const { previous } of this.eventsOf({ key: '', end: null }, revision)) {
        events++
        if (previous !== undefined) held.add(previous)
      }
    }
    const versions = [...held].reduce((sum, kv) => sum + kv.key.length + kv.value.length + 320, 0)
    return versions + 160 * events + 200 * this.leases.length
  }

  /** All that the hash of the state stands for, as text. */
  get canonical(): string {
    const keys = sortedIn(this.keys, { key: '', end: null })
    const shown = keys.map((kv) => [
      kv.key,
      [...kv.value],
      kv.createRevision,
      kv.modRevision,
      kv.version,
      kv.lease,
    ])
    return JSON.stringify([this.revision, shown, this.leases, this.#leasesGranted])
  }

  eventsOf(range: KeyRange, revision: number): WatchEvent[] {
    const before = this.states[revision - 1] as Keys
    const after = this.states[revision] as Keys
    const keys = [...new Set([...before.keys(), ...after.keys()])].sort().filter((key) => isIn(key, range))
    return keys.flatMap((key): WatchEvent[] => {
      const previous = before.get(key)
      const kv = after.get(key)
      const carried = previous === undefined ? {} : { previous }
      if (kv === undefined) return [{ type: 'delete', key, modRevision: revision, ...carried }]
      return kv.modRevision === revision ? [{ type: 'put', kv, ...carried }] : []
    })
  }

  #open(owner: string): number {
    const open = this.sessions.find((session) => session.owner === owner)
    this.sessions = this.sessions.filter((session) => session !== open)
    if (this.sessions.length >= this.#limits.sessionsMax) this.sessions.shift()
    const session = open ?? { id: ++this.#sessionsOpened, owner, acknowledged: 0, replies: [] }
    this.sessions.push(session)
    return session.id
  }

  #once(command: Extract<StoreCommand, { session: number }>): NaiveReply {
    const session = this.sessions.find(({ id }) => id === command.session)
    if (session === undefined) {
      const outcome = command.session <= this.#sessionsOpened ? 'unknown' : 'none'
      return { ok: false, code: 'session-expired', outcome }
    }
    this.sessions = [...this.sessions.filter((other) => other !== session), session]
    session.acknowledged = Math.max(session.acknowledged, command.acknowledged)
    session.replies = session.replies.filter(([sequence]) => sequence > session.acknowledged)
    if (command.sequence <= session.acknowledged)
      return { ok: false, code: 'session-expired', outcome: 'unknown' }
    const kept = session.replies.find(([sequence]) => sequence === command.sequence)
    if (kept !== undefined) return kept[1]
    if (session.replies.length >= this.#limits.sessionRepliesMax) {
      return { ok: false, code: 'overloaded', outcome: 'unknown' }
    }
    const reply = this.#mutate(command)
    session.replies.push([command.sequence, reply])
    return reply
  }

  #mutate(mutation: StoreMutation): NaiveReply {
    try {
      return this.#mutateOrRefuse(mutation)
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused
      return { ok: false, code: refused.code, outcome: 'none' }
    }
  }

  #mutateOrRefuse(mutation: StoreMutation): NaiveReply {
    switch (mutation.type) {
      case 'txn':
        return this.#txn(mutation)
      case 'grantLease':
        this.leases.push([++this.#leasesGranted, mutation.ttlMs])
        return { ok: true, type: 'grantLease', lease: this.#leasesGranted, ttlMs: mutation.ttlMs }
      case 'revokeLease':
        if (!this.leases.some(([lease]) => lease === mutation.lease)) throw new Refused('lease-not-found')
        this.#endLeases([mutation.lease])
        return { ok: true, type: 'revokeLease', revision: this.revision }
      case 'compact':
        if (mutation.revision > this.revision) throw new Refused('future-revision')
        this.compactRevision = Math.max(this.compactRevision, mutation.revision)
        return { ok: true, type: 'compact', compactRevision: this.compactRevision }
      case 'closeSession':
        return { ok: true, type: 'closeSession' }
    }
  }

  #expire(leases: readonly number[]): NaiveReply {
    const expired = leases.filter(
      (lease, i) => leases.indexOf(lease) === i && this.leases.some(([id]) => id === lease),
    )
    this.#endLeases(expired)
    return { ok: true, type: 'expireLeases', revision: this.revision, expired }
  }

  #endLeases(leases: readonly number[]): void {
    this.leases = this.leases.filter(([lease]) => !leases.includes(lease))
    const left = [...this.keys].filter(([, kv]) => !leases.includes(kv.lease))
    if (left.length < this.keys.size) this.states.push(new Map(left))
  }

  #txn(txn: Extract<StoreMutation, { type: 'txn' }>): NaiveReply {
    for (const branch of [txn.then, txn.else]) if (writesTwice(branch)) throw new Refused('invalid-argument')
    const succeeded = txn.compare.every((compare) => this.#compare(compare))
    const keys = new Map(this.keys)
    let writes = 0
    const replies = (succeeded ? txn.then : txn.else).map((operation) => {
      const reply = this.#operate(operation, keys)
      if (operation.op === 'put' || (reply.op === 'delete' && reply.deleted > 0)) writes++
      return reply
    })
    if (writes > 0) this.states.push(keys)
    return { ok: true, type: 'txn', reply: { revision: this.revision, succeeded, replies } }
  }

  #operate(operation: Operation, keys: Map<string, KeyValue>): OperationReply {
    if (operation.op === 'range') return this.#range(operation, keys)
    if (operation.op === 'delete') {
      const previous = sortedIn(keys, operation)
      for (const { key } of previous) keys.delete(key)
      return { op: 'delete', deleted: previous.length, ...(operation.previous === true ? { previous } : {}) }
    }
    const previous = keys.get(operation.key)
    const lease = operation.lease === 'keep' ? (previous?.lease ?? 0) : (operation.lease ?? 0)
    if (operation.lease !== 'keep' && lease !== 0 && !this.leases.some(([id]) => id === lease)) {
      throw new Refused('lease-not-found')
    }
    const revision = this.revision + 1
    keys.set(operation.key, {
      key: operation.key,
      value: operation.value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0) + 1,
      lease,
    })
    return { op: 'put', ...(operation.previous === true && previous !== undefined ? { previous } : {}) }
  }

  #range(operation: Extract<Operation, { op: 'range' }>, keys: Keys): OperationReply {
    const at = operation.revision
    if (at !== undefined && at > this.revision) throw new Refused('future-revision')
    if (at !== undefined && at < this.compactRevision) throw new Refused('compacted')
    const found = sortedIn(at === undefined ? keys : (this.states[at] as Keys), operation)
    if (operation.order === 'descending') found.reverse()
    const limit = operation.limit === undefined || operation.limit === 0 ? found.length : operation.limit
    const shown = operation.countOnly === true ? [] : found.slice(0, limit)
    const kvs = shown.map((kv) => (operation.keysOnly === true ? { ...kv, value: new Uint8Array(0) } : kv))
    return {
      op: 'range',
      kvs,
      count: found.length,
      more: operation.countOnly !== true && shown.length < found.length,
    }
  }

  #compare(compare: Compare): boolean {
    const kv = this.keys.get(compare.key)
    if (compare.target !== 'value')
      return relation(kv?.[compare.target] ?? 0, compare.value).includes(compare.op)
    if (kv === undefined) return false
    return relation([...kv.value].join(), [...compare.value].join()).includes(compare.op)
  }
}

/** Values of the tests have at most one byte below 10, so that their texts have the order of their bytes. */
function relation<T extends number | string>(a: T, b: T): string[] {
  return a === b ? ['='] : ['!=', a < b ? '<' : '>']
}

const beyondAll = '\uffff'

function bounds(range: KeyRange): [from: string, end: string] {
  return [range.key, range.end === undefined ? `${range.key}\u0000` : (range.end ?? beyondAll)]
}

function isIn(key: string, range: KeyRange): boolean {
  const [from, end] = bounds(range)
  return key >= from && key < end
}

function sortedIn(keys: Keys, range: KeyRange): KeyValue[] {
  return [...keys.values()].filter((kv) => isIn(kv.key, range)).sort((a, b) => (a.key < b.key ? -1 : 1))
}

function writesTwice(branch: readonly Operation[]): boolean {
  const writes = branch.filter((operation) => operation.op !== 'range').map((operation) => bounds(operation))
  const solid = writes.filter(([from, end]) => from < end)
  return solid.some(([from, end], i) =>
    solid.some(([other, otherEnd], j) => i < j && from < otherEnd && other < end),
  )
}
