import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { HostedGroup } from './backup/backup-calls.ts'
import { fieldsOf, requiredWhole } from './call-fields.ts'
import type { Caller, OperatorCalls, Plain } from './operator-calls.ts'
import type { CalledNode } from './operator-links.ts'

export interface StoreCallsOptions {
  /** Groups of which this node has a copy now. */
  groups(): readonly HostedGroup[]
  /** Throws when a member could not read what only the present version writes into the log. */
  assertAllSpeak(): void
  callsOf(node: NodeId): CalledNode
}

/**
 * The calls about the bounds of a group's store; `group` is its name or number, absent: the cluster's own.
 *
 *     store.space     { group }               -> { bytes, quotaBytes, historyBytes, state, reason }, of this node's copy
 *     store.set-quota { group, quotaBytes }   -> { quotaBytes }, through the log, on whatever node it is called
 */
export function registerStoreCalls(operators: OperatorCalls, options: StoreCallsOptions): void {
  operators.register({
    'store.space': async (argument) => {
      const { host } = groupOf(options, argument)
      return { ...host.space, historyBytes: host.model.stats.historyBytes }
    },
    'store.set-quota': (argument, caller) => setQuota(options, argument, caller),
  })
}

const fieldNames = ['group', 'quotaBytes']

async function setQuota(options: StoreCallsOptions, argument: Plain, caller: Caller): Promise<Plain> {
  const { host } = groupOf(options, argument)
  const { role, leader } = host.group
  if (role !== 'leader' && leader !== 0 && caller.isForwarded !== true) {
    return await options.callsOf(leader).operate('store.set-quota', argument)
  }
  try {
    options.assertAllSpeak()
  } catch (error) {
    throw new AlthingError('unavailable', asAlthingError(error).message, { outcome: 'none', cause: error })
  }
  const quotaBytes = requiredWhole(fieldsOf(argument, fieldNames), 'quotaBytes')
  return await new Promise<Plain>((resolve, reject) => {
    host.setQuota(quotaBytes, (error, set) => {
      if (set === undefined || error !== undefined) reject(error)
      else resolve({ ...set })
    })
  })
}

function groupOf(options: StoreCallsOptions, argument: Plain): HostedGroup {
  const { group = 1 } = fieldsOf(argument, fieldNames)
  const found = options.groups().find((each) => each.group === group || each.name === group)
  if (found !== undefined) return found
  throw new AlthingError('not-found', `this node has no copy of a group ${String(group)}`, {
    outcome: 'none',
  })
}
