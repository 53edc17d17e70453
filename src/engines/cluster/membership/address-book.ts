import { membersOf } from '../../../protocols/raft/configuration.ts'
import type { Configuration, NodeId } from '../../../protocols/raft/types.ts'
import type { Member } from '../../../replication/peer-transport.ts'
import { byId } from './member-record.ts'

/** Callers that are not members by this node's copy, as many as it will answer: a copy that is behind does not know who leads now. */
const strangersMax = 16

/**
 * Who belongs to the cluster and where they listen, as the configuration of group 1 on this node says. Where it says no address (a cluster made before
 * configurations had any), that of the start holds.
 */
export class AddressBook {
  readonly #atStart: ReadonlyMap<NodeId, string>
  readonly #changed: () => void
  readonly #strangers = new Map<NodeId, string>()
  #members: readonly Member[]

  /** `changed` is called when {@link reachable} may have changed. */
  constructor(atStart: readonly Member[], changed: () => void) {
    this.#atStart = new Map(atStart.map(({ id, address }) => [id, address]))
    this.#members = byId(atStart)
    this.#changed = changed
  }

  /** Of the configuration; before a new node has one, those that it was told of. */
  get members(): readonly Member[] {
    return this.#members
  }

  /** The members, and those that have called and may be members of a configuration not yet here. */
  get reachable(): readonly Member[] {
    return [...this.#members, ...[...this.#strangers].map(([id, address]) => ({ id, address }))]
  }

  addressOf(id: NodeId): string | undefined {
    return this.reachable.find((member) => member.id === id)?.address
  }

  get addresses(): Readonly<Record<NodeId, string>> {
    return Object.fromEntries(this.#members.map(({ id, address }) => [id, address]))
  }

  isMember(id: NodeId): boolean {
    return this.#members.some((member) => member.id === id)
  }

  configurationChanged(configuration: Configuration): void {
    const { addresses = {} } = configuration
    const isTold = configuration.voters.length > 0
    const ids = isTold ? membersOf(configuration) : [...this.#atStart.keys()]
    this.#members = byId(
      ids.flatMap((id) => {
        const address = addresses[id] ?? this.#atStart.get(id)
        return address === undefined ? [] : [{ id, address }]
      }),
    )
    for (const id of ids) this.#strangers.delete(id)
    this.#changed()
  }

  /** A node of this cluster has called from `address`; the oldest of too many is forgotten. */
  called(id: NodeId, address: string): void {
    if (this.isMember(id) || this.#strangers.get(id) === address) return
    this.#strangers.delete(id)
    this.#strangers.set(id, address)
    for (const oldest of this.#strangers.keys()) {
      if (this.#strangers.size <= strangersMax) break
      this.#strangers.delete(oldest)
    }
    this.#changed()
  }

  forget(id: NodeId): void {
    if (this.#strangers.delete(id)) this.#changed()
  }
}
