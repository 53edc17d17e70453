import type { Answer } from './answers.ts'
import { InvariantViolation } from './violation.ts'

const name = 'real-time-order'

/**
 * Revisions follow real time over all keys: what is called after a call had returned from a revision takes effect no earlier than that. Strict
 * serializability of transactions, given the order of writes (Gibbons and Korach, "Testing Shared Memories", 1997); serializable reads are left out.
 */
export function checkRealTimeOrder(answers: readonly Answer[]): InvariantViolation | undefined {
  const ordered = answers.filter(isOrdered)
  const byReturn = [...ordered].sort((a, b) => a.returnedAt - b.returnedAt)
  const byCall = [...ordered].sort((a, b) => a.calledAt - b.calledAt)
  let returned = 0
  let newest: Ordered | undefined
  for (const answer of byCall) {
    for (; returned < byReturn.length; returned++) {
      const earlier = byReturn[returned] as Ordered
      if (earlier.returnedAt >= answer.calledAt) break
      if (newest === undefined || earlier.revision > newest.revision) newest = earlier
    }
    if (newest === undefined || answer.revision >= newest.revision) continue
    const late = `${answer.client}: a ${answer.kind} called at ${answer.calledAt} ms took effect at revision ${answer.revision}`
    const before = `${newest.client} had returned from revision ${newest.revision} at ${newest.returnedAt} ms`
    return new InvariantViolation(name, `${late}, although ${before}`)
  }
  return undefined
}

type Ordered = Answer & { readonly revision: number }

function isOrdered(answer: Answer): answer is Ordered {
  if (answer.kind === 'read') return answer.consistency === 'linearizable'
  return answer.revision !== undefined
}
