import { AlthingError } from '../../../contracts/errors.ts'
import { encodeCommand } from '../../../models/store/codec.ts'
import type { StoreReply } from '../../../models/store/types.ts'
import type { StoreHost } from '../../local/store-host.ts'
import { fieldsOf, requiredText, requiredWhole } from '../call-fields.ts'
import type { OperatorCalls, Plain } from '../operator-calls.ts'
import { type CheckpointLog, type ReplicaHash } from './checkpoint-log.ts'
import { isDamaged } from './compare-replicas.ts'

export interface CheckedGroup {
  readonly group: number
  readonly name: string
  readonly host: StoreHost
  readonly checkpoints: CheckpointLog
}

export interface ReplicaCallsOptions {
  /** `undefined`: this node has no copy of it. */
  find(group: unknown): CheckedGroup | undefined
  /** Why a checkpoint must not enter the log now: a member of the previous version could not read it. */
  obstacle(group: number): string | undefined
  /** Stops the node: its copy is not what it should be. */
  fail(error: AlthingError): void
}

/**
 * The calls with which the copies of a group are compared:
 *
 *     replicas.checkpoint { group }          on its leader -> { index }: where every copy takes its hash
 *     replicas.hash       { group, index }   -> { index, revision, hash, sessionsHash, recomputed } or { problem }
 *     replicas.condemn    { group, index, hash, sessionsHash }: most copies have that state there, and are sound; a copy with another stops its node
 */
export function registerReplicaCalls(operators: OperatorCalls, options: ReplicaCallsOptions): void {
  operators.register({
    'replicas.checkpoint': (argument) => checkpoint(options, argument),
    'replicas.hash': async (argument) => hashAt(options, argument),
    'replicas.condemn': async (argument) => condemn(options, argument),
  })
}

async function checkpoint(options: ReplicaCallsOptions, argument: Plain): Promise<Plain> {
  const { group, host } = groupOf(options, argument)
  const obstacle = options.obstacle(group)
  if (obstacle !== undefined) throw new AlthingError('unavailable', obstacle, { outcome: 'none' })
  const command = { type: 'checkpoint' } as const
  const index = await new Promise<number>((resolve, reject) => {
    host.group.propose(encodeCommand(command), command, (result) => {
      if (!result.ok) reject(result.error)
      else if (!(result.reply as StoreReply).ok)
        reject(new AlthingError('internal', 'a checkpoint was refused', { outcome: 'none' }))
      else resolve(result.index)
    })
  })
  return { index }
}

function hashAt(options: ReplicaCallsOptions, argument: Plain): Plain {
  const { host, checkpoints } = groupOf(options, argument)
  const index = requiredWhole(fieldsOf(argument, ['group', 'index']), 'index')
  const hash = checkpoints.at(index)
  if (hash !== undefined) return { ...hash }
  const { appliedIndex } = host.group
  if (appliedIndex < index)
    return { problem: `it has applied ${appliedIndex} of ${index} entries`, isWaiting: true }
  return { problem: 'it was restored from a snapshot, or started again, after that place', isWaiting: false }
}

function condemn(options: ReplicaCallsOptions, argument: Plain): Plain {
  const { group, checkpoints } = groupOf(options, argument)
  const fields = fieldsOf(argument, ['group', 'index', 'hash', 'sessionsHash'])
  const own = checkpoints.at(requiredWhole(fields, 'index'))
  if (own === undefined) return { isStopped: false }
  const fault = faultOf(own, requiredText(fields, 'hash'), requiredText(fields, 'sessionsHash'))
  if (fault === undefined) return { isStopped: false }
  const advice = 'remove its data folder and let it be filled again by the others (docs/blocks/operations.md)'
  options.fail(
    new AlthingError(
      'corrupt',
      `the copy of group ${group} on this node ${fault} at entry ${own.index}: ${advice}`,
    ),
  )
  return { isStopped: true }
}

function faultOf(own: ReplicaHash, hash: string, sessionsHash: string): string | undefined {
  if (isDamaged(own)) return 'was damaged in memory'
  if (own.hash !== hash || own.sessionsHash !== sessionsHash) return 'differs from most others'
  return undefined
}

function groupOf(options: ReplicaCallsOptions, argument: Plain): CheckedGroup {
  const { group = 1 } = fieldsOf(argument, ['group', 'index', 'hash', 'sessionsHash'])
  const found = options.find(group)
  if (found !== undefined) return found
  throw new AlthingError('not-found', `this node has no copy of group ${String(group)}`, { outcome: 'none' })
}
