import type { NodeId } from '../../protocols/raft/types.ts'
import { InvariantViolation } from './violation.ts'

/** One look at a member's copy of the store, as a serializable read would take it. */
export interface LocalLook {
  readonly node: NodeId
  readonly life: number
  readonly timeMs: number
  readonly revision: number
}

/** In one life of a member its copy never goes back. DESIGN.md section 3: serializable reads. */
export function checkLocalReadsMonotone(looks: readonly LocalLook[]): InvariantViolation | undefined {
  const last = new Map<string, LocalLook>()
  for (const look of looks) {
    const key = `${look.node}/${look.life}`
    const before = last.get(key)
    last.set(key, look)
    if (before === undefined || look.revision >= before.revision) continue
    const what = `node ${look.node} went back from revision ${before.revision} to ${look.revision}`
    return new InvariantViolation('local-reads-monotone', `${what} at ${look.timeMs} ms`)
  }
  return undefined
}
