import type { Duration } from '../../base/duration.ts'
import { AlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import type { CallOptions, LeaseId, ReadOptions, Store } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { untilAborted } from '../abortable.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../guarantees.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import { LeaseKeeper } from '../leases/lease-keeper.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { leaseTtlMs, wholeNumber } from '../names.ts'
import { type WaitOptions, waitLimit } from '../primitives/call-limit.ts'
import { readWholeRange } from '../range-pages.ts'
import {
  childrenRange,
  containersPrefix,
  nameOf,
  nodesPrefix,
  parentOf,
  pathOf,
  segmentsOf,
} from './tree-path.ts'
import {
  conflict,
  dataOf,
  type LeasedOperation,
  noNode,
  readPaths,
  readsOf,
  statOf,
  TreePlan,
} from './tree-plan.ts'
import type {
  CreateOptions,
  NodeKind,
  NodeStat,
  NodeState,
  TreeChange,
  TreeEvent,
  TreeOperation,
  TreeResult,
  TreeSession,
  WatchKind,
} from './tree-types.ts'
import { changesBelow, nextEvent } from './tree-watch.ts'

export const treeRequirements: Requirements = {
  recipe: 'tree',
  needs: ['linearizable', 'lease-survives-failover', 'server-time', 'fencing', 'watch-resume'],
}

export const treeDefaults = { sessionTtl: '10s', sweepMs: 60_000 } as const

/** Each operation reads two paths, of three keys: within the bounds of a transaction. */
const operationsMax = 20
/** So often may others change what a call has read: then `conflict`, to be tried again. */
const attemptsMax = 200

export interface TreeOptions {
  readonly store: Store
  readonly world: World
  /** Default: one of its own, closed with the tree. */
  readonly keeper?: LeaseKeeper
  readonly accept?: readonly Guarantee[]
}

/**
 * A tree of nodes with data, as ZooKeeper has it, seen on the store: each change is one transaction, and linearizable; reads are, too, unless asked otherwise.
 *
 * Errors: `not-found` (NoNode), and `conflict` with `details.reason`: `node-exists`, `not-empty`, `bad-version`, `no-children-allowed`.
 */
export class Tree {
  readonly #store: Store
  readonly #world: World
  readonly #keeper: LeaseKeeper
  readonly #ownsKeeper: boolean
  readonly #sessions = new Set<TreeSession>()
  readonly #closing = new AbortController()
  #sweeping: Timer | undefined

  constructor(options: TreeOptions) {
    assertGuarantees(options.store, treeRequirements, options)
    this.#store = options.store
    this.#world = options.world
    this.#ownsKeeper = options.keeper === undefined
    this.#keeper = options.keeper ?? new LeaseKeeper(options.store, options.world)
  }

  /** Starts a session, which is renewed until it is closed or lost. Default ttl 10 s: so long after the death of this process its nodes are gone. */
  async session(
    options: { readonly ttl?: Duration; readonly signal?: AbortSignal } = {},
  ): Promise<TreeSession> {
    const { signal } = options
    const ttlMs = leaseTtlMs('ttl', options.ttl ?? treeDefaults.sessionTtl)
    this.#assertOpen()
    const lease = await this.#keeper.keep(ttlMs, signal === undefined ? {} : { signal })
    const session = sessionOn(lease, () => this.#sessions.delete(session))
    this.#sessions.add(session)
    this.#keepSwept()
    return session
  }

  /** Returns its path, with its number where it is sequential. The parent must be there. */
  async create(
    path: string,
    data: Uint8Array = new Uint8Array(0),
    options: CreateOptions & CallOptions = {},
  ): Promise<string> {
    const { signal, timeoutMs, ...rest } = options
    const [result] = await this.multi([{ op: 'create', path, data, ...rest }], callOf({ signal, timeoutMs }))
    return result?.path as string
  }

  /** Rejects with `not-found`. */
  async getData(path: string, options?: ReadOptions): Promise<NodeState> {
    const state = await this.#read(path, options)
    if (state.found === undefined) throw noNode(path)
    return { ...state.found, revision: state.revision }
  }

  /** `version`: only if it is this; -1 and absent: whatever it is. Returns its new version's revision. */
  async setData(
    path: string,
    data: Uint8Array,
    options: { readonly version?: number } & CallOptions = {},
  ): Promise<number> {
    const { version, ...call } = options
    const [result] = await this.multi([{ op: 'set', path, data, ...versionOf(version) }], call)
    return result?.revision as number
  }

  /** Its stat; undefined when it is not there. */
  async exists(path: string, options?: ReadOptions): Promise<NodeStat | undefined> {
    return (await this.#read(path, options)).found?.stat
  }

  /** The names of its children, in order, and of which revision this is. Rejects with `not-found`. */
  async children(
    path: string,
    options?: ReadOptions,
  ): Promise<{ readonly names: readonly string[]; readonly revision: number }> {
    segmentsOf(path)
    this.#assertOpen()
    const { kvs, revision } = await readWholeRange(
      this.#store,
      { ...childrenRange(path), keysOnly: true },
      options,
    )
    if (kvs.length === 0 && path !== '/') await this.getData(path, options)
    const names = kvs.map((kv) => nameOf(pathOf(kv.key, nodesPrefix)))
    return { names: names.sort((a, b) => (a < b ? -1 : 1)), revision }
  }

  /** Rejects with `not-found`, and `conflict` while it has children, or another version than `version`. */
  async delete(path: string, options: { readonly version?: number } & CallOptions = {}): Promise<void> {
    const { version, ...call } = options
    await this.multi([{ op: 'delete', path, ...versionOf(version) }], call)
    // The node is gone, whether this works or not; the next sweep sees to it.
    await this.#dropEmptyContainers(parentOf(path)).catch(() => 0)
  }

  /** All of up to 20 operations, one after the other, in one transaction, or none. Each path is changed at most once. */
  async multi(
    operations: readonly TreeOperation[],
    options: CallOptions = {},
  ): Promise<readonly TreeResult[]> {
    if (operations.length === 0 || operations.length > operationsMax)
      throw invalidArgument('operations', operations.length, `1 to ${operationsMax}`)
    for (const operation of operations) checkOperation(operation)
    this.#assertOpen()
    const paths = [...new Set(operations.flatMap(({ path }) => [path, parentOf(path)]))]
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const done = await this.#attempt(paths, operations, options)
      if (done !== undefined) return done
    }
    throw new AlthingError('conflict', `others changed these nodes each of ${attemptsMax} times`, {
      outcome: 'none',
      retryable: true,
      details: { paths },
    })
  }

  /**
   * A one-shot watch: the first event after `after` (a revision that a read has told, so that nothing is missed in between). Rejects with `timeout`, `aborted`, `closed`,
   * and `compacted` when what came since may be forgotten: then read again. The end of the node itself may be told in place of
   * changes of its children before.
   */
  async nextChange(
    path: string,
    kind: WatchKind,
    options: { readonly after: number } & WaitOptions,
  ): Promise<TreeEvent> {
    segmentsOf(path)
    if (!['data', 'exist', 'child'].includes(kind))
      throw invalidArgument('kind', kind, "'data', 'exist' or 'child'")
    wholeNumber('after', options.after, 0, Number.MAX_SAFE_INTEGER)
    const limit = waitLimit(this.#world, `the watch of ${path}`, options, this.#closing.signal)
    try {
      limit.throwIfEnded()
      const event = nextEvent(this.#store, path, kind, options.after, limit.signal)
      return await untilAborted(event, limit.signal, (signal) => signal.reason)
    } finally {
      limit.dispose()
    }
  }

  /** A recursive watch: every change of the node and of all below it, from the one after `after` on (default: from now), until the signal fires. */
  changes(
    path: string,
    options: { readonly after?: number; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<TreeChange> {
    segmentsOf(path)
    const { signal } = options
    const closing = this.#closing.signal
    const both = signal === undefined ? closing : AbortSignal.any([signal, closing])
    return changesBelow(this.#store, path, options.after, both)
  }

  /**
   * Deletes containers that have had children, and have none any more; returns how many. Done by `delete`, and every minute by each tree with a session, for
   * children that ended with theirs.
   */
  async sweep(options: CallOptions = {}): Promise<number> {
    this.#assertOpen()
    const range = prefixRange(containersPrefix)
    const { kvs } = await readWholeRange(this.#store, { ...range, keysOnly: true }, options)
    let dropped = 0
    // The deepest first: what is above may be empty after them.
    for (const kv of kvs.toReversed())
      dropped += await this.#dropEmptyContainers(pathOf(kv.key, containersPrefix))
    return dropped
  }

  /** Ends sessions with their nodes, and watches. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new AlthingError('closed', 'the tree was closed', { outcome: 'none' }))
    this.#sweeping?.cancel()
    await Promise.allSettled([...this.#sessions].map((session) => session.close()))
    if (this.#ownsKeeper) await this.#keeper.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Undefined when others changed what was read before it was written. */
  async #attempt(
    paths: readonly string[],
    operations: readonly TreeOperation[],
    options: CallOptions,
  ): Promise<readonly TreeResult[] | undefined> {
    const reads = readPaths(paths, await this.#store.txn({ then: readsOf(paths) }, options))
    // Refused operations are refused before any lease is granted for them.
    applyAll(new TreePlan(reads), operations)
    const leased = await this.#withLeases(operations, reads, options)
    const plan = new TreePlan(reads)
    const made = applyAll(plan, leased.operations)
    try {
      const reply = await this.#store.txn(
        {
          compare: plan.compares,
          then: plan.writes,
          else: plan.freshReads,
        },
        options,
      )
      if (reply.succeeded) {
        await this.#revoke(leased.former)
        return made.map((path) => ({ path, revision: reply.revision }))
      }
      const taken = plan.takenByHand(reply)
      if (taken !== undefined) throw conflict('node-exists', taken, 'it exists already')
    } catch (error) {
      if (isAlthingError(error) && error.outcome === 'none') await this.#revoke(leased.granted)
      throw error
    }
    await this.#revoke(leased.granted)
    return undefined
  }

  /** Ephemeral nodes hang on their session; each ttl node on a lease of its own, which nobody renews. */
  async #withLeases(
    operations: readonly TreeOperation[],
    reads: ReturnType<typeof readPaths>,
    options: CallOptions,
  ): Promise<{
    readonly operations: readonly LeasedOperation[]
    readonly granted: readonly LeaseId[]
    readonly former: readonly LeaseId[]
  }> {
    const granted: LeaseId[] = []
    const former: LeaseId[] = []
    const grant = async (ttlMs: number): Promise<LeaseId> => {
      const { lease } = await this.#store.grantLease({ ttlMs }, options)
      granted.push(lease)
      return lease
    }
    const leased: LeasedOperation[] = []
    for (const operation of operations) {
      const lease = reads.get(operation.path)?.node?.lease ?? 0
      const isTtl = this.#isTtl(operation, reads)
      if (operation.op === 'create' && operation.session !== undefined)
        leased.push({ ...operation, lease: operation.session.id })
      else if (operation.op === 'create' && operation.ttl !== undefined)
        leased.push({ ...operation, lease: await grant(leaseTtlMs('ttl', operation.ttl)) })
      else if (operation.op === 'set' && isTtl) {
        former.push(lease)
        leased.push({ ...operation, lease: await grant(await this.#ttlOf(lease, operation.path, options)) })
      } else leased.push(operation)
    }
    return { operations: leased, granted, former }
  }

  #isTtl({ path }: TreeOperation, reads: ReturnType<typeof readPaths>): boolean {
    const node = reads.get(path)?.node
    return node !== undefined && statOf(node, undefined, 0).kind === 'ttl'
  }

  async #ttlOf(lease: LeaseId, path: string, options: CallOptions): Promise<number> {
    const found = (await this.#store.leases(options)).find((each) => each.lease === lease)
    if (found === undefined) throw noNode(path)
    return found.ttlMs
  }

  async #revoke(leases: readonly LeaseId[]): Promise<void> {
    for (const lease of leases) await this.#store.revokeLease(lease).catch(() => {})
  }

  async #read(
    path: string,
    options: ReadOptions = {},
  ): Promise<{ readonly found: Omit<NodeState, 'revision'> | undefined; readonly revision: number }> {
    segmentsOf(path)
    this.#assertOpen()
    const reply = await this.#store.txn({ then: readsOf([path]) }, options)
    const read = readPaths([path], reply).get(path)
    const { revision } = reply
    if (path === '/' && read !== undefined) return { found: rootState(read.counter, read.children), revision }
    if (read?.node === undefined) return { found: undefined, revision }
    const { node, counter, children } = read
    return { found: { data: dataOf(node), stat: statOf(node, counter, children) }, revision }
  }

  /** Upwards, as long as there are such. Returns how many. */
  async #dropEmptyContainers(path: string): Promise<number> {
    let dropped = 0
    for (let at = path; at !== '/'; at = parentOf(at)) {
      const stat = await this.exists(at)
      if (stat?.kind !== 'container' || stat.numChildren > 0 || stat.cversion === 0) return dropped
      try {
        await this.multi([{ op: 'delete', path: at }])
        dropped += 1
      } catch (error) {
        // Another was faster, or it has a child again.
        if (isAlthingError(error, 'not-found') || isAlthingError(error, 'conflict')) return dropped
        throw error
      }
    }
    return dropped
  }

  #keepSwept(): void {
    if (this.#sweeping !== undefined || this.#closing.signal.aborted) return
    this.#sweeping = this.#world.timers.after(treeDefaults.sweepMs, () => {
      this.#sweeping = undefined
      if (this.#sessions.size === 0) return
      void this.sweep()
        .catch((error: unknown) => {
          this.#world.logger.log('debug', 'empty containers are left for now', { error: String(error) })
        })
        .finally(() => this.#keepSwept())
    })
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason
  }
}

function applyAll(plan: TreePlan, operations: readonly LeasedOperation[]): readonly string[] {
  return operations.map((operation) => plan.apply(operation))
}

function sessionOn(lease: KeptLease, onEnd: () => void): TreeSession {
  lease.lost.addEventListener('abort', onEnd, { once: true })
  const close = async (): Promise<void> => {
    onEnd()
    await lease.release()
  }
  return {
    id: lease.id,
    get isAlive() {
      return lease.isValid
    },
    lost: lease.lost,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function checkOperation(operation: TreeOperation): void {
  const names = segmentsOf(operation.path)
  const version = operation.op === 'create' ? undefined : operation.version
  if (version !== undefined) wholeNumber('version', version, 0, Number.MAX_SAFE_INTEGER)
  if (operation.op !== 'create') return
  if (names.length === 0) throw invalidArgument('path', operation.path, 'one below the root')
  const { kind = 'persistent', session, ttl } = operation
  const kinds: readonly NodeKind[] = ['persistent', 'ephemeral', 'container', 'ttl']
  if (!kinds.includes(kind)) throw invalidArgument('kind', kind, kinds.join(', '))
  if ((kind === 'ephemeral') !== (session !== undefined))
    throw invalidArgument('session', session?.id, 'given for an ephemeral node, and only there')
  if ((kind === 'ttl') !== (ttl !== undefined))
    throw invalidArgument('ttl', ttl, 'given for a ttl node, and only there')
  if (ttl !== undefined) leaseTtlMs('ttl', ttl)
  if (session !== undefined && !session.isAlive) throw session.lost.reason ?? sessionClosed()
}

function sessionClosed(): AlthingError {
  return new AlthingError('closed', 'the session of the node was closed', { outcome: 'none' })
}

function rootState(counter: Parameters<typeof statOf>[1], numChildren: number): Omit<NodeState, 'revision'> {
  const root = { key: '', value: new Uint8Array(1), createRevision: 0, modRevision: 0, version: 1, lease: 0 }
  return { data: new Uint8Array(0), stat: statOf(root, counter, numChildren) }
}

/** -1 is any version, as in ZooKeeper. */
function versionOf(version: number | undefined): { readonly version?: number } {
  return version === undefined || version === -1 ? {} : { version }
}

function callOf({
  signal,
  timeoutMs,
}: {
  signal: AbortSignal | undefined
  timeoutMs: number | undefined
}): CallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
}
