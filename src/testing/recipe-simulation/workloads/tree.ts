import { bytesFromText, textFromBytes } from '../../../base/bytes.ts'
import { isAlthingError } from '../../../contracts/errors.ts'
import { prefixRange } from '../../../coordination/locks/lock-entry.ts'
import { childrenRange, nodeKey, nodesPrefix } from '../../../coordination/tree/tree-path.ts'
import type {
  TreeChange,
  TreeOperation,
  TreeSession,
  WatchKind,
} from '../../../coordination/tree/tree-types.ts'
import { Tree } from '../../../coordination/tree/tree.ts'
import { checkLockExclusive } from '../../invariants/lock-exclusive.ts'
import { checkTreeMulti } from '../../invariants/tree-multi.ts'
import { checkTreeNumbers, numberOf } from '../../invariants/tree-numbers.ts'
import {
  checkFiredWatches,
  checkFollowedTrees,
  type FiredWatch,
  type FollowedTree,
} from '../../invariants/tree-watches.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import type { WatchedRight } from '../recipe-observations.ts'
import { Tally } from '../tally.ts'
import { insisted, rest, sleep, succeeded, tried, type User, untilClosing, useWhile } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

const losses = ['lost', 'lease-not-found']
const queue = '/queue'
const pair = ['/pair/left', '/pair/right'] as const

/** A place in the queue: an ephemeral node with a number. */
interface Place {
  readonly path: string
  readonly revision: number
  readonly session: TreeSession
  hasLeft: boolean
}

/** Users queue with ephemeral sequential nodes for a lock, each watching the one before it, and count on two nodes at once; observers watch the whole tree. */
class TreeWorkload implements Workload {
  readonly leavesNothingUnder = [childrenRange(queue).key]
  readonly succession: Succession
  readonly #stage: WorkloadStage
  readonly #fired: FiredWatch[] = []
  /** Of observers, by their name. */
  readonly #followed = new Map<string, FollowedTree & { readonly changes: TreeChange[] }>()
  readonly #running = new Set<string>()
  readonly #steps = new Tally()
  readonly #counts = { queued: 0, served: 0, refusedWhole: 0 }
  #rounds = 0

  constructor(stage: WorkloadStage) {
    this.#stage = stage
    const { ttlMs } = stage.configuration
    const take = async (user: User): Promise<void> => {
      const tree = new Tree(user)
      for (;;) {
        const session = await insisted(user, () => tree.session({ ttl: ttlMs }))
        const place = await this.#queueUp(user, tree, session)
        if (place !== undefined && (await this.#untilFirst(user, tree, place, () => false))) return
        await sleep(user.world, 50)
      }
    }
    this.succession = { first: take, next: take, withinMs: ttlMs }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const tree = new Tree(user)
    await insisted(user, () => prepare(tree))
    while (!user.isStopping()) {
      if (user.random.chance(0.5)) await this.#serve(user, tree)
      else await this.#count(user, tree)
      await rest(user)
    }
    await tree.close()
  }

  readonly observe = async (user: User): Promise<void> => {
    const tree = new Tree(user)
    const { revision } = await insisted(user, () => tree.children('/'))
    const followed = { follower: user.name, after: revision, changes: [] }
    this.#followed.set(user.name, followed)
    this.#running.add(user.name)
    const following = this.#follow(user, tree, followed)
    await untilClosing(user)
    await tree.close()
    await following
  }

  /** An ephemeral node stands on the lease of its session, for as long as that is there. */
  look(): void {
    const { log, observations } = this.#stage
    for (const { key, lease } of log.model.range(childrenRange(queue)).kvs)
      if (lease === 0) observations.violated('ephemeral-nodes', `${key} stands on the lease of no session`)
  }

  died(user: string): void {
    for (const name of this.#running) if (name.startsWith(`${user}.`)) this.#running.delete(name)
  }

  hasConverged(): boolean {
    const { configuration, log } = this.#stage
    return (
      this.#running.size === configuration.observers &&
      [...this.#running].every((name) => {
        const followed = this.#followed.get(name)
        const told = followed?.changes.at(-1)?.revision ?? followed?.after ?? 0
        return log.events.between(prefixRange(nodesPrefix), told + 1, Infinity).length === 0
      })
    )
  }

  judge(): InvariantViolation | undefined {
    const { observations, log } = this.#stage
    const left = log.model.range({ key: nodeKey(pair[0]) }).kvs[0]
    return (
      checkTreeNumbers(queue, log.events) ??
      checkTreeMulti(pair, log.events) ??
      this.#steps.judge('number of steps', BigInt((left?.version ?? 1) - 1)) ??
      checkFiredWatches(this.#fired, log.events) ??
      checkFollowedTrees([...this.#followed.values()], log.events) ??
      checkLockExclusive(observations.rights.tenures)
    )
  }

  reached(): Readonly<Record<string, number>> {
    const changes = [...this.#followed.values()].flatMap((each) => each.changes)
    const resyncs = changes.filter(({ type }) => type === 'resync').length
    const seen = { watchesFired: this.#fired.length, changesTold: changes.length, resyncs }
    return { ...this.#counts, ...seen, steps: this.#steps.sureCount, unknownSteps: this.#steps.unknownCount }
  }

  /** The lock of ZooKeeper's recipes. */
  async #serve(user: User, tree: Tree): Promise<void> {
    const { random, configuration } = user
    const session = await tried(user, () => tree.session({ ttl: configuration.ttlMs }), losses)
    if (session === undefined) return
    const place = await this.#queueUp(user, tree, session)
    const untilMs = user.nowMs() + random.pick([2_000, 6_000])
    const isOver = (): boolean => user.isStopping() || user.nowMs() >= untilMs
    if (place !== undefined && (await this.#untilFirst(user, tree, place, isOver))) {
      this.#counts.served++
      user.observations.acquired(user, rightOf(place))
      await useWhile(
        user,
        () => session.isAlive,
        async () => {},
      )
      user.observations.look()
      this.#rounds++
    }
    if (place !== undefined) {
      place.hasLeft = true
      if (random.chance(0.5))
        await succeeded(user, () => tree.delete(place.path), ['not-found', 'conflict', ...losses])
    }
    if (await succeeded(user, () => session.close(), losses)) this.#mustBeGone(user, place)
  }

  async #queueUp(user: User, tree: Tree, session: TreeSession): Promise<Place | undefined> {
    const path = `${queue}/n-`
    const create = { op: 'create', path, kind: 'ephemeral', sequential: true, session } as const
    const made = await tried(user, () => tree.multi([create]), ['conflict', 'closed', ...losses])
    const [node] = made ?? []
    if (node === undefined) return undefined
    this.#counts.queued++
    return { ...node, session, hasLeft: false }
  }

  /** Watches whoever stands right before it. */
  async #untilFirst(user: User, tree: Tree, place: Place, isOver: () => boolean): Promise<boolean> {
    const number = numberOf(place.path)
    while (place.session.isAlive && !isOver()) {
      const seen = await tried(user, () => tree.children(queue))
      if (seen === undefined) {
        await sleep(user.world, 50)
        continue
      }
      const before = seen.names.filter((name) => numberOf(name) < number).at(-1)
      if (before === undefined) return place.session.isAlive
      if (user.random.chance(0.2)) await this.#watch(user, tree, queue, 'child', seen.revision)
      else await this.#watch(user, tree, `${queue}/${before}`, 'exist', seen.revision)
    }
    return false
  }

  async #watch(user: User, tree: Tree, path: string, kind: WatchKind, after: number): Promise<void> {
    const event = await tried(user, () => tree.nextChange(path, kind, { after, waitTimeout: '2s' }), [
      'compacted',
    ])
    if (event !== undefined) this.#fired.push({ watcher: user.name, path, kind, after, event })
  }

  /** Sets both nodes to one more than they were; at times with a part that must fail, and with it the rest. */
  async #count(user: User, tree: Tree): Promise<void> {
    const [left, right] = pair
    const state = await tried(user, () => tree.getData(left))
    if (state === undefined) return
    if (user.random.chance(0.2)) await this.#watch(user, tree, left, 'data', state.revision)
    const data = bytesFromText(String(Number(textFromBytes(state.data)) + 1))
    const set: TreeOperation[] = [
      { op: 'set', path: left, data, version: state.stat.version },
      { op: 'set', path: right, data },
    ]
    if (user.random.chance(0.2)) await this.#mustFail(user, tree, set)
    if (await succeeded(user, () => this.#steps.add(1n, () => tree.multi(set)), ['conflict'])) this.#rounds++
  }

  async #mustFail(user: User, tree: Tree, set: readonly TreeOperation[]): Promise<void> {
    const impossible = user.random.shuffle<TreeOperation>([...set, { op: 'check', path: '/pair/nothing' }])
    try {
      await tree.multi(impossible)
    } catch (error) {
      if (isAlthingError(error, 'not-found') || isAlthingError(error, 'conflict')) this.#counts.refusedWhole++
      else await tried(user, () => Promise.reject(error))
      return
    }
    user.observations.violated('tree-multi', `${user.name} had a multi done of which one part cannot be`)
  }

  async #follow(user: User, tree: Tree, followed: { after: number; changes: TreeChange[] }): Promise<void> {
    try {
      for await (const change of tree.changes('/', { after: followed.after })) followed.changes.push(change)
    } catch (error) {
      if (!user.isClosing()) throw error
    }
  }

  #mustBeGone(user: User, place: Place | undefined): void {
    if (place === undefined) return
    const [kv] = this.#stage.log.model.range({ key: nodeKey(place.path) }).kvs
    if (kv?.createRevision === place.revision)
      user.observations.violated('ephemeral-nodes', `${place.path} is there after its session was closed`)
  }
}

async function prepare(tree: Tree): Promise<void> {
  const data = bytesFromText('0')
  const paths = [queue, '/pair', ...pair]
  try {
    await tree.multi(paths.map((path) => ({ op: 'create', path, data }) as const))
  } catch (error) {
    if (!isAlthingError(error, 'conflict')) throw error
    // Another was faster, or this one at its first try.
    await tree.getData(queue)
  }
}

function rightOf(place: Place): WatchedRight {
  const { path, revision, session } = place
  return {
    name: queue,
    token: revision,
    fence: { key: nodeKey(path), token: revision },
    lost: session.lost,
    get isHeld() {
      return session.isAlive && !place.hasLeft
    },
  }
}

export const createTreeWorkload: CreateWorkload = (stage) => new TreeWorkload(stage)
