import type { NodeId } from '../../../protocols/raft/types.ts'
import type { Member } from '../../../replication/peer-transport.ts'

/**
 * What the cluster remembers of a member besides its place in the configuration, for ever: an id is never given twice. Kept as JSON under
 * `\0members/ID` of group 1. A founding member has none until it is first heard of.
 *
 *     invited --member.join--> joined --member.remove, member.replace--> leaving --> removed
 */
export interface MemberRecord {
  readonly id: NodeId
  readonly state: 'invited' | 'joined' | 'leaving' | 'removed'
  /** Absent: that of the configuration holds (a founding member), or the invited one brings it along. */
  readonly address?: string
  /** Of the data folder that it came with first. One with another is refused: it has lost what it had promised. */
  readonly storageId?: string
  /** Newest version of the messages between nodes that it was seen to speak. */
  readonly peerVersion?: number
  /** A learner that is to vote as soon as it has caught up. */
  readonly promotes?: boolean
  /** This one's place is taken by that member, in the same change that makes it a voter. */
  readonly replacedBy?: NodeId
  /** SHA-256 in hex of the secret in its invitation, until that was used. */
  readonly secretHash?: string
  /** End of the invitation, by the wall clock. */
  readonly expiresWallMs?: number
}

export const memberKeys = {
  prefix: '\0members/',
  record: (id: NodeId): string => `\0members/${String(id).padStart(10, '0')}`,
  /** The next id to give out. */
  counter: '\0member-counter',
} as const

/** The key sorts by number; what is stored is JSON, written and read by nodes only. */
export type MemberRecords = ReadonlyMap<NodeId, MemberRecord>

/** Sorted by id. */
export function byId(members: Iterable<Member>): Member[] {
  return [...members].sort((a, b) => a.id - b.id)
}
