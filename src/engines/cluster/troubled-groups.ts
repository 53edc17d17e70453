import type { World } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { GroupId } from '../../replication/group-id.ts'
import { type GroupDescriptor, isSettled } from './groups/group-descriptor.ts'

/** A group whose copies are not as they should be, as the leader of the cluster sees it. Plain data. */
export interface TroubledGroup {
  readonly name: string
  /** The worst that is so: most of its voters do not answer; it has fewer copies than it could have; its copies have been moving for more than a minute. */
  readonly trouble: 'no-majority' | 'few-copies' | 'moving'
  readonly forMs: number
  /** Where its copies belong. */
  readonly members: readonly NodeId[]
  /** Who votes in it, as its own leader reported last. */
  readonly voters: readonly NodeId[]
  /** Of all these the ones that do not answer; where it has few copies, of the members who could take one as well. */
  readonly silent: readonly NodeId[]
  /** Copies that it could have: as many as were asked for, where the cluster has so many members. */
  readonly wanted: number
}

/** What the leader of the cluster knows of its groups. */
export interface GroupsView {
  readonly groups: Iterable<GroupDescriptor>
  /** Voters of the cluster that are to stay. */
  readonly places: readonly NodeId[]
  readonly answering: ReadonlySet<NodeId>
}

type Trouble = TroubledGroup['trouble']

/** Worst first. All of it is so for a moment whenever members change or restart. */
const toleratedMs: Readonly<Record<Trouble, number>> = {
  'no-majority': 2_000,
  'few-copies': 2_000,
  moving: 60_000,
}
const troubles = Object.keys(toleratedMs) as readonly Trouble[]

/** Remembers since when groups have been in trouble. There are at most as many entries as groups, thrice. */
export class TroubledGroups {
  readonly #world: Pick<World, 'clock'>
  readonly #view: () => GroupsView | undefined
  readonly #sinceMs = new Map<string, number>()

  /** `view`: `undefined` while this node does not lead the cluster. */
  constructor(world: Pick<World, 'clock'>, view: () => GroupsView | undefined) {
    this.#world = world
    this.#view = view
  }

  /** A look; call it a few times in an election timeout. */
  tick(): void {
    const view = this.#view()
    const present = new Set<string>()
    for (const group of view?.groups ?? []) {
      for (const trouble of troubles)
        if (isIn(trouble, group, view as GroupsView)) present.add(keyOf(group.id, trouble))
    }
    const nowMs = this.#world.clock.monotonicMs()
    for (const key of this.#sinceMs.keys()) if (!present.has(key)) this.#sinceMs.delete(key)
    for (const key of present) if (!this.#sinceMs.has(key)) this.#sinceMs.set(key, nowMs)
  }

  /** Each group that has been in trouble for longer than passes by itself, once; none where this node does not lead the cluster. */
  get all(): TroubledGroup[] {
    const view = this.#view()
    if (view === undefined || this.#sinceMs.size === 0) return []
    const nowMs = this.#world.clock.monotonicMs()
    return [...view.groups].flatMap((group) => {
      const forMs = (trouble: Trouble): number =>
        nowMs - (this.#sinceMs.get(keyOf(group.id, trouble)) ?? nowMs)
      const worst = troubles.find((trouble) => forMs(trouble) > toleratedMs[trouble])
      return worst === undefined ? [] : [described(group, view, worst, Math.round(forMs(worst)))]
    })
  }
}

function isIn(trouble: Trouble, group: GroupDescriptor, view: GroupsView): boolean {
  if (trouble === 'moving') return !isSettled(group)
  if (trouble === 'few-copies') return copiesOf(group, view).length < wantedOf(group, view)
  const voters = votersOf(group)
  return voters.filter((id) => view.answering.has(id)).length * 2 <= voters.length
}

function described(group: GroupDescriptor, view: GroupsView, trouble: Trouble, forMs: number): TroubledGroup {
  const { name, members } = group
  const voters = votersOf(group)
  const concerned = [...members, ...voters, ...(trouble === 'few-copies' ? view.places : [])]
  const silent = [...new Set(concerned)].filter((id) => !view.answering.has(id))
  return { name, trouble, forMs, members, voters, silent, wanted: wantedOf(group, view) }
}

/** Before the first report these are the ones that it began with. */
function votersOf({ placed, founders }: GroupDescriptor): readonly NodeId[] {
  return placed.length === 0 ? founders : placed
}

function copiesOf({ members }: GroupDescriptor, { places }: GroupsView): readonly NodeId[] {
  return members.filter((id) => places.includes(id))
}

function wantedOf({ replicas }: GroupDescriptor, { places }: GroupsView): number {
  return Math.min(replicas, places.length)
}

function keyOf(id: GroupId, trouble: Trouble): string {
  return `${id} ${trouble}`
}
