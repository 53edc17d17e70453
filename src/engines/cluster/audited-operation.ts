import type { AuditLog } from '../../access/audit-log.ts'
import { withoutSecrets } from '../../access/audit-log.ts'
import { asAlthingError } from '../../contracts/errors.ts'
import type { Caller } from './operator-calls.ts'

/** What operators ask for again and again to look at, and that changes nothing: it has no line in the audit log unless it is refused. */
const looks = /\.(list|status|describe|check|read|hash|health|metrics)$/

/** Does what an operator asks for, between two lines of the audit log. Rejects with `unavailable` (outcome none) when the first cannot be written: nothing is done then. */
export async function auditedOperation<T>(
  audit: AuditLog | undefined,
  operation: { readonly name: string; readonly argument: unknown; readonly caller: Caller },
  work: () => Promise<T>,
): Promise<T> {
  const { name, argument, caller } = operation
  if (audit === undefined || looks.test(name)) return work()
  const line = { who: caller.name, from: caller.remoteAddress, what: name, action: audit.nextAction() }
  await audit.record({ ...line, outcome: 'begun', details: withoutSecrets(argument) })
  try {
    const answer = await work()
    audit.note({ ...line, outcome: 'done' })
    return answer
  } catch (error) {
    const { code, outcome } = asAlthingError(error)
    audit.note({ ...line, outcome: 'failed', details: { code, outcome } })
    throw error
  }
}
