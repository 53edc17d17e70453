import { AlthingError, asAlthingError } from '../../../contracts/errors.ts'
import type { World } from '../../../contracts/world.ts'
import { isJoint, isVoterOf, membersOf } from '../../../protocols/raft/configuration.ts'
import type { Configuration, NodeId } from '../../../protocols/raft/types.ts'
import { peerVersion } from '../../../replication/message-codec.ts'
import type { PeerTransport } from '../../../replication/peer-transport.ts'
import type { StoreHost } from '../../local/store-host.ts'
import type { SystemChange, SystemEntry, SystemStore } from '../system-store.ts'
import type { AddressBook } from './address-book.ts'
import type { Admission, Sighting } from './admission.ts'
import { answering, CatchUp, following } from './catch-up.ts'
import { type MemberRecord, type MemberRecords, memberKeys } from './member-record.ts'
import { nextConfiguration } from './next-configuration.ts'
import { canDecide } from './quorum-safety.ts'

export interface MembershipOptions {
  readonly world: World
  readonly self: NodeId
  readonly clusterId: string
  /** Of this node's data folder. */
  readonly storageId: string
  readonly host: StoreHost
  readonly system: SystemStore
  readonly book: AddressBook
  readonly admission: Admission
  readonly transport: PeerTransport
  readonly electionTimeoutMs: number
  /** The member has copies of other groups. */
  holdsGroups(id: NodeId): boolean
  /** Some group has no majority of answering voters without it. */
  isNeeded(id: NodeId, answering: ReadonlySet<NodeId>): boolean
}

/** Attempts to hand over before a leader that is to leave changes the members itself. */
const handOversMax = 3

/**
 * What the leader of group 1 sees to: that the members become what their records say, one step at a time. All that is wanted stands in the records, so a
 * new leader goes on where the old one stopped.
 */
export class Membership {
  readonly #options: MembershipOptions
  readonly #catchUp: CatchUp
  readonly #waiting = new Set<() => void>()
  #isChanging = false
  #isWriting = false
  #handOvers = 0

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#catchUp = new CatchUp(options.electionTimeoutMs)
  }

  get records(): MemberRecords {
    const { system } = this.#options
    return new Map(
      system.list<MemberRecord>(memberKeys.prefix).map(({ value }) => [value.id, value] as const),
    )
  }

  entry(id: NodeId): SystemEntry<MemberRecord> | undefined {
    return this.#options.system.get<MemberRecord>(memberKeys.record(id))
  }

  get configuration(): Configuration {
    return this.#options.host.group.configuration
  }

  /** Members that have answered lately, by the leader's view. */
  get answering(): ReadonlySet<NodeId> {
    const { host, world, electionTimeoutMs } = this.#options
    return answering(host.group.status(), world.clock.monotonicMs(), electionTimeoutMs)
  }

  /** On the leader, of a learner that is to vote: for how long it has been one. */
  learnerForMs(id: NodeId): number | undefined {
    if (this.entry(id)?.value.promotes !== true) return undefined
    return this.#catchUp.learnerForMs(id, this.#options.world.clock.monotonicMs())
  }

  /** A look at what is to be done; call it a few times in an election timeout. */
  tick(): void {
    const { host, world } = this.#options
    if (!host.group.isLeaderReady) {
      this.#catchUp.reset()
      this.#handOvers = 0
    } else {
      const { configuration } = this
      const caughtUp = this.#catchUp.observe(world.clock.monotonicMs(), host.group.status())
      if (!isJoint(configuration) && !this.#isChanging) this.#step(configuration, caughtUp)
      if (!this.#isWriting) this.#write([...this.#newSightings(), ...this.#departures(configuration)])
    }
    this.wake()
  }

  /** Something may have come true that someone waits for. */
  wake(): void {
    for (const look of [...this.#waiting]) look()
  }

  /** Resolves with whether it became true within the time. */
  until(isTrue: () => boolean, timeoutMs: number): Promise<boolean> {
    if (isTrue()) return Promise.resolve(true)
    return new Promise((resolve) => {
      const finish = (value: boolean): void => {
        timer.cancel()
        this.#waiting.delete(look)
        resolve(value)
      }
      const look = (): void => {
        if (isTrue()) finish(true)
      }
      const timer = this.#options.world.timers.after(timeoutMs, () => finish(false))
      this.#waiting.add(look)
    })
  }

  /**
   * Refuses while some member speaks only the first version of the messages between nodes: it would not understand a change of members, nor a second
   * group. Throws `incompatible-peer`.
   */
  assertAllSpeak(): void {
    const { self, transport } = this.#options
    const old = membersOf(this.configuration).filter((id) => {
      if (id === self) return false
      const spoken = transport.protocolOf(id) ?? this.entry(id)?.value.peerVersion
      return spoken === undefined || spoken < 2
    })
    if (old.length === 0) return
    throw new AlthingError(
      'incompatible-peer',
      `${old.map((id) => `node ${id}`).join(' and ')} still runs the version before, or was never seen: upgrade and start every member first`,
      { outcome: 'none' },
    )
  }

  #step(configuration: Configuration, caughtUp: ReadonlySet<NodeId>): void {
    const { host, world } = this.#options
    const next = this.#next(configuration, caughtUp)
    if (next === undefined || this.#handsOverFirst(next)) return
    world.logger.log('info', 'changing the members of the cluster', {
      voters: next.voters,
      learners: next.learners ?? [],
    })
    this.#isChanging = true
    host.group.changeConfiguration(next, (error) => {
      this.#isChanging = false
      if (error !== undefined)
        world.logger.log('info', 'the change of members was not made', { reason: error.message })
      this.wake()
    })
  }

  /** Where those who would be left could not decide now, though they could when the removal was asked for, nobody leaves yet; others may come. */
  #next(configuration: Configuration, caughtUp: ReadonlySet<NodeId>): Configuration | undefined {
    const { records } = this
    const { host, world, book, electionTimeoutMs } = this.#options
    const view = { configuration, addresses: book.addresses, records, caughtUp }
    const next = nextConfiguration({ ...view, busy: this.#busy() })
    const able = following(host.group.status(), world.clock.monotonicMs(), electionTimeoutMs)
    if (next === undefined || canDecide(next.voters, able)) return next
    return nextConfiguration({ ...view, busy: new Set(records.keys()) })
  }

  /** A leader that is to leave lets another one see to it; when nobody takes over it leads until its going is committed (thesis section 4.2.2). */
  #handsOverFirst(next: Configuration): boolean {
    const { host, self, world } = this.#options
    if (next.voters.includes(self) || this.#handOvers >= handOversMax) return false
    const { progress } = host.group.status()
    const heirs = [...this.answering]
      .filter((id) => next.voters.includes(id) && isVoterOf(this.configuration, id))
      .sort((a, b) => (progress.get(b)?.matchIndex ?? 0) - (progress.get(a)?.matchIndex ?? 0))
    const [heir] = heirs
    if (heir === undefined) return false
    this.#handOvers++
    world.logger.log('info', 'handing over before leaving the cluster', { to: heir })
    host.group.transferLeadership(heir)
    return true
  }

  /** Leaving members whose copies of other groups are still needed, and who can still give them; or who may come back and must, before a group can go on. */
  #busy(): ReadonlySet<NodeId> {
    const { answering } = this
    const leaving = [...this.records.values()].filter(({ state }) => state === 'leaving')
    return new Set(
      leaving
        .map(({ id }) => id)
        .filter(
          (id) =>
            (answering.has(id) && this.#options.holdsGroups(id)) || this.#options.isNeeded(id, answering),
        ),
    )
  }

  /** What is known of members only since they were heard of. */
  #newSightings(): SystemChange[] {
    const { admission, self, storageId } = this.#options
    const members = membersOf(this.configuration)
    // Alone there is nobody to mix up, and the revisions of a lone store stay its users' own.
    if (members.length < 2) return []
    const seen = new Map<NodeId, Sighting>([...admission.sightings, [self, { storageId, peerVersion }]])
    return [...seen].flatMap(([id, sighting]) => {
      const entry = this.entry(id)
      const record = entry?.value ?? { id, state: 'joined' as const }
      const isKnown = record.storageId !== undefined && record.peerVersion === sighting.peerVersion
      if (!members.includes(id) || isKnown || sighting.storageId === undefined) return []
      const value: MemberRecord = {
        ...record,
        ...sighting,
        storageId: record.storageId ?? sighting.storageId,
      }
      return [{ key: memberKeys.record(id), value, modRevision: entry?.modRevision ?? 0 }]
    })
  }

  /** Leaving members that the committed configuration does not have any more. */
  #departures(configuration: Configuration): SystemChange[] {
    const { configurationIndex, commitIndex } = this.#options.host.group.status()
    if (isJoint(configuration) || configurationIndex > commitIndex) return []
    const members = membersOf(configuration)
    return [...this.records.values()]
      .filter(({ id, state }) => state === 'leaving' && !members.includes(id))
      .map(({ id, storageId }) => ({
        key: memberKeys.record(id),
        value: {
          id,
          state: 'removed',
          ...(storageId === undefined ? {} : { storageId }),
        } satisfies MemberRecord,
        modRevision: this.entry(id)?.modRevision ?? 0,
      }))
  }

  #write(changes: readonly SystemChange[]): void {
    if (changes.length === 0) return
    this.#isWriting = true
    this.#options.system
      .change(changes)
      .catch((error: unknown) => {
        const reason = asAlthingError(error).message
        this.#options.world.logger.log('debug', 'records of members were not written', { reason })
      })
      .finally(() => {
        this.#isWriting = false
        this.wake()
      })
  }
}
