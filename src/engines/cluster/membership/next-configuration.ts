import type { Configuration, NodeId } from '../../../protocols/raft/types.ts'
import type { MemberRecord, MemberRecords } from './member-record.ts'

export interface MembersView {
  /** In use, and not joint. */
  readonly configuration: Configuration
  /** Of every member of the configuration. */
  readonly addresses: Readonly<Record<NodeId, string>>
  readonly records: MemberRecords
  /** Learners that could vote without holding the others up. */
  readonly caughtUp: ReadonlySet<NodeId>
  /** Leaving members that still answer and hold copies of other groups: these go first. */
  readonly busy: ReadonlySet<NodeId>
}

/**
 * The next step from the members as they are to the members as the records want them, or `undefined` when there is nothing to do now. What can be done
 * at once is one step: a replacement takes its place and the dead member loses its own in one joint change (thesis section 4.3).
 */
export function nextConfiguration(view: MembersView): Configuration | undefined {
  const { configuration, records } = view
  const voters = new Set(configuration.voters)
  const learners = new Set(configuration.learners ?? [])
  const addresses: Record<NodeId, string> = { ...view.addresses }
  for (const record of records.values()) {
    if (record.state === 'joined') admit(record, voters, learners, addresses, view.caughtUp)
  }
  for (const record of records.values()) {
    if (record.state !== 'leaving' || view.busy.has(record.id) || isAwaited(record, voters)) continue
    voters.delete(record.id)
    learners.delete(record.id)
    delete addresses[record.id]
  }
  if (voters.size === 0) return undefined
  const next: Configuration = {
    voters: sorted(voters),
    ...(learners.size === 0 ? {} : { learners: sorted(learners) }),
    addresses,
  }
  return isSame(configuration, view.addresses, next) ? undefined : next
}

function admit(
  { id, address, promotes }: MemberRecord,
  voters: Set<NodeId>,
  learners: Set<NodeId>,
  addresses: Record<NodeId, string>,
  caughtUp: ReadonlySet<NodeId>,
): void {
  const isMember = voters.has(id) || learners.has(id)
  if (!isMember && address === undefined) return
  if (address !== undefined) addresses[id] = address
  if (!isMember) learners.add(id)
  else if (promotes === true && learners.has(id) && caughtUp.has(id)) {
    learners.delete(id)
    voters.add(id)
  }
}

/** It leaves when the one that takes its place votes. */
function isAwaited({ replacedBy }: MemberRecord, voters: ReadonlySet<NodeId>): boolean {
  return replacedBy !== undefined && !voters.has(replacedBy)
}

function isSame(
  configuration: Configuration,
  addresses: Readonly<Record<NodeId, string>>,
  next: Configuration,
): boolean {
  const ids = [...next.voters, ...(next.learners ?? [])]
  return (
    sorted(configuration.voters).join() === next.voters.join() &&
    sorted(configuration.learners ?? []).join() === (next.learners ?? []).join() &&
    ids.every((id) => addresses[id] === next.addresses?.[id])
  )
}

function sorted(ids: Iterable<NodeId>): NodeId[] {
  return [...ids].sort((a, b) => a - b)
}
