import { AlthingError } from '../../../contracts/errors.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import type { Hello } from '../protocol.ts'
import type { SystemStore } from '../system-store.ts'
import type { AddressBook } from './address-book.ts'
import { type MemberRecord, memberKeys } from './member-record.ts'

/** What a member was seen with since this node started. */
export interface Sighting {
  readonly storageId?: string
  readonly peerVersion: number
}

/**
 * Whether a node that calls as a member may take part. A member that was removed may not; nor one whose data folder is not the one it came with: it
 * has forgotten votes and entries that the others count on (a wiped disk must come back as a new member).
 */
export class Admission {
  readonly #self: NodeId
  readonly #system: SystemStore
  readonly #book: AddressBook
  readonly #sightings = new Map<NodeId, Sighting>()

  constructor(self: NodeId, system: SystemStore, book: AddressBook) {
    this.#self = self
    this.#system = system
    this.#book = book
  }

  get sightings(): ReadonlyMap<NodeId, Sighting> {
    return this.#sightings
  }

  /** Throws `not-member`, which is final for the caller, or `incompatible-peer`. */
  admit({ from, storageId, address, peerVersion = 1 }: Hello): void {
    const record = this.#system.get<MemberRecord>(memberKeys.record(from))?.value
    if (record?.state === 'removed') throw removedMember(from)
    const known = record?.storageId ?? this.#sightings.get(from)?.storageId
    if (known !== undefined && known !== storageId) throw otherStorage(from)
    const isStranger = !this.#book.isMember(from)
    if (from === this.#self || (isStranger && address === undefined)) {
      throw new AlthingError('incompatible-peer', `${from} is not another member of this cluster`)
    }
    this.#sightings.set(from, { peerVersion, ...(storageId === undefined ? {} : { storageId }) })
    if (isStranger && address !== undefined) this.#book.called(from, address)
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
