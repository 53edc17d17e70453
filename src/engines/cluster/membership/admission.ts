import { AlthingError } from '../../../contracts/errors.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import type { Hello } from '../protocol.ts'
import type { SystemStore } from '../system-store.ts'
import type { AddressBook } from './address-book.ts'
import type { KnownMembers } from './known-members.ts'
import { type MemberRecord, memberKeys } from './member-record.ts'

/** What a member was seen with since this node started. */
export interface Sighting {
  readonly storageId?: string
  readonly peerVersion: number
}

export interface AdmissionOptions {
  readonly self: NodeId
  readonly system: SystemStore
  readonly book: AddressBook
  readonly known: KnownMembers
  /** Ends what a node that may not take part sends; it calls again, and is told why. */
  disconnect(peer: NodeId): void
}

/**
 * Whether a node that calls as a member may take part. A member that was removed may not; nor one whose data folder is not the one it came with: it
 * has forgotten votes and entries that the others count on (a wiped disk must come back as a new member).
 */
export class Admission {
  readonly #self: NodeId
  readonly #system: SystemStore
  readonly #book: AddressBook
  readonly #known: KnownMembers
  readonly #disconnect: (peer: NodeId) => void
  readonly #sightings = new Map<NodeId, Sighting>()
  #isChanged = true

  constructor({ self, system, book, known, disconnect }: AdmissionOptions) {
    this.#self = self
    this.#system = system
    this.#book = book
    this.#known = known
    this.#disconnect = disconnect
    system.follow(memberKeys.prefix, () => (this.#isChanged = true))
  }

  get sightings(): ReadonlyMap<NodeId, Sighting> {
    return this.#sightings
  }

  /** Throws `not-member`, which is final for the caller, or `incompatible-peer`. */
  admit({ from, storageId, address, peerVersion = 1 }: Hello): void {
    const record = this.#system.get<MemberRecord>(memberKeys.record(from))?.value
    if (record?.state === 'removed') throw removedMember(from)
    const known = record?.storageId ?? this.#known.storageIdOf(from) ?? this.#sightings.get(from)?.storageId
    if (known !== undefined && known !== storageId) throw otherStorage(from)
    const isStranger = !this.#book.isMember(from)
    if (from === this.#self || (isStranger && address === undefined)) {
      throw new AlthingError('incompatible-peer', `${from} is not another member of this cluster`)
    }
    this.#sightings.set(from, { peerVersion, ...(storageId === undefined ? {} : { storageId }) })
    if (isStranger && address !== undefined) this.#book.called(from, address)
  }

  /**
   * A look at those who were let in before the records said that they may not be: call it a few times in an election timeout. One that was cut off while it was
   * removed would otherwise never hear of it, and one with another folder would be counted on.
   */
  tick(): void {
    if (!this.#isChanged) return
    this.#isChanged = false
    const records = this.#system.list<MemberRecord>(memberKeys.prefix).map(({ value }) => value)
    for (const { id, state, storageId } of records) {
      const seen = this.#sightings.get(id)?.storageId
      const isOther = storageId !== undefined && seen !== undefined && seen !== storageId
      if (state !== 'removed' && !isOther) continue
      if (!this.#sightings.delete(id)) continue
      this.#book.forget(id)
      this.#disconnect(id)
    }
    this.#known.note(
      records.flatMap(({ id, storageId }) => (storageId === undefined ? [] : [[id, storageId] as const])),
    )
  }
}

export function removedMember(id: NodeId): AlthingError {
  return new AlthingError(
    'not-member',
    `node ${id} was removed from the cluster: it may not take part any more. Its data folder is of no use to the cluster; to use this machine again, ` +
      'add it as a new member with an empty folder',
    { outcome: 'none' },
  )
}

function otherStorage(id: NodeId): AlthingError {
  return new AlthingError(
    'not-member',
    `node ${id} comes with another data folder than the one the cluster knows: what it had promised is lost, so it may not take part under its old ` +
      `number. Replace it: althing member replace ${id}, and join with the token`,
    { outcome: 'none' },
  )
}
