import { isAlthingError } from '../../contracts/errors.ts'
import { KnownMembers } from '../../engines/cluster/membership/known-members.ts'
import type { World } from '../../contracts/world.ts'
import type { RestoredState } from '../../protocols/raft/types.ts'
import type { GroupId } from '../../replication/group-id.ts'
import { type NodeStorage, openNodeStorage } from '../../replication/node-storage.ts'
import type { Member } from '../invariants/cluster-view.ts'
import { InvariantViolation } from '../invariants/violation.ts'
import type { Damage } from '../world/simulated-disk.ts'
import type { GroupUnderTest } from './group-under-test.ts'

/**
 * What came of a flipped bit: `refused`, the node saw it and stopped with file and offset; `harmless`, the bit was in no data, and nothing is
 * missing.
 */
export type DamageVerdict = 'refused' | 'harmless' | InvariantViolation

const name = 'damage-is-found'

/**
 * Starts from a damaged disk, without taking part in anything: either the node refuses, naming the file and an offset, or
 * everything that it had called durable is still there, of every group. DESIGN.md section 7: corruption is never skipped.
 */
export async function judgeDamage(
  world: World,
  directory: string,
  identity: { readonly clusterId: string; readonly nodeId: number },
  damage: Damage,
  groups: ReadonlyMap<GroupId, GroupUnderTest>,
): Promise<DamageVerdict> {
  try {
    const node = await openNodeStorage(world, directory, { identity })
    await KnownMembers.read(world, directory)
    await readSnapshots(node)
    await node.close()
    for (const [id, { view }] of groups) {
      const member = view.members.get(identity.nodeId)
      const verdict = member && judgeGroup(node.groups.get(id)?.restored, damage, member)
      if (verdict instanceof InvariantViolation) return verdict
    }
    return 'harmless'
  } catch (error) {
    return judgeRefusal(error, damage)
  }
}

async function readSnapshots(node: NodeStorage): Promise<void> {
  for (const { storage } of node.groups.values()) {
    const reader = await storage.openSnapshot()
    if (reader === undefined) continue
    for await (const chunk of reader.chunks()) void chunk
    await reader.close()
  }
}

function judgeRefusal(error: unknown, { path, byteOffset }: Damage): DamageVerdict {
  // A fault of the same disk came in between: nothing is known, and the node stays out.
  if (isAlthingError(error, 'disk-failed')) return 'refused'
  if (!isAlthingError(error, 'corrupt')) {
    const message = error instanceof Error ? error.message : String(error)
    return new InvariantViolation(name, `damage to ${path} at ${byteOffset} stops the node with: ${message}`)
  }
  const file = error.details?.['file']
  const offset = error.details?.['offset']
  if (typeof file === 'string' && typeof offset === 'number') return 'refused'
  return new InvariantViolation(name, `the refusal of ${path} names no file and offset: ${error.message}`)
}

function judgeGroup(restored: RestoredState | undefined, flip: Damage, { durable }: Member): DamageVerdict {
  // A copy that is here no more may have been removed: whether it should be there is asked when it is opened.
  if (restored === undefined) return 'harmless'
  const { hardState, snapshot, entries } = restored
  const where = `damage to ${flip.path} at ${flip.byteOffset} goes unseen`
  if (hardState.term < durable.term) return new InvariantViolation(name, `${where}, and the term goes back`)
  const terms = new Map(entries.map(({ index, term }) => [index, term]))
  const firstIndex = entries[0]?.index ?? (snapshot?.index ?? 0) + 1
  const snapshotIndex = snapshot?.index ?? 0
  for (let index = Math.max(firstIndex, snapshotIndex + 1); index <= durable.lastIndex; index++) {
    if (index <= durable.baseIndex || terms.get(index) === durable.termAt(index)) continue
    return new InvariantViolation(
      name,
      `${where}, and entry ${index} of term ${durable.termAt(index)} is gone`,
    )
  }
  const begins = Math.min(snapshotIndex + 1, firstIndex)
  if (begins > 1 && snapshotIndex === 0)
    return new InvariantViolation(name, `${where}, and the snapshot is gone`)
  return 'harmless'
}
