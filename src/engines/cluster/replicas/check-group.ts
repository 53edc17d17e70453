import { asAlthingError } from '../../../contracts/errors.ts'
import type { World } from '../../../contracts/world.ts'
import { answerFields } from '../backup/answer-fields.ts'
import type { Plain } from '../operator-calls.ts'
import type { CalledNode } from '../operator-links.ts'
import { malformed } from '../protocol.ts'
import type { ReplicaHash } from './checkpoint-log.ts'
import {
  compareReplicas,
  faultyReplicas,
  type ReplicaAnswer,
  type ReplicaComparison,
} from './compare-replicas.ts'

export interface CheckGroupOptions {
  readonly world: World
  readonly group: number
  readonly name: string
  readonly leader: CalledNode
  /** Every copy of the group. */
  readonly replicas: readonly { readonly node: number; readonly call: CalledNode }[]
  /** Time for every copy to reach the place and to compute its hash (default 60 s). */
  readonly timeoutMs?: number
  /** Stop the nodes whose copies are found faulty, when most copies are sound. */
  readonly stopsFaulty?: boolean
}

const pollMs = 50

/**
 * Compares all copies of a group at one place of its log, while it serves. Rejects when the leader cannot mark the place; a copy that does not answer is
 * `unknown` in the result.
 */
export async function checkGroup(options: CheckGroupOptions): Promise<ReplicaComparison> {
  const { world, group, name, leader, replicas, timeoutMs = 60_000, stopsFaulty = false } = options
  const index = Number(answerFields(await leader.operate('replicas.checkpoint', { group }))['index'])
  if (!Number.isSafeInteger(index)) throw malformed('answer: index')
  const untilMs = world.clock.monotonicMs() + timeoutMs
  const answers = await Promise.all(
    replicas.map(({ node, call }) => answerOf(world, node, call, { group, index }, untilMs)),
  )
  const comparison = compareReplicas({ group, name, index }, answers)
  if (stopsFaulty) await stopFaulty(comparison, replicas)
  return comparison
}

async function answerOf(
  world: World,
  node: number,
  call: CalledNode,
  place: { readonly group: number; readonly index: number },
  untilMs: number,
): Promise<ReplicaAnswer> {
  for (;;) {
    let answer: Readonly<Record<string, unknown>>
    try {
      answer = answerFields(await call.operate('replicas.hash', place))
    } catch (error) {
      return { node, problem: asAlthingError(error).message }
    }
    const hash = hashFrom(answer)
    const isLate = world.clock.monotonicMs() >= untilMs
    if (hash?.recomputed !== undefined || (isLate && hash !== undefined)) return { node, hash }
    if (hash === undefined && (isLate || answer['isWaiting'] !== true))
      return { node, problem: String(answer['problem']) }
    await new Promise<void>((resolve) => world.timers.after(pollMs, resolve))
  }
}

function hashFrom(answer: Readonly<Record<string, unknown>>): ReplicaHash | undefined {
  const { index, revision, hash, sessionsHash, recomputed } = answer
  if (typeof hash !== 'string' || typeof sessionsHash !== 'string') return undefined
  const known = { index: Number(index), revision: Number(revision), hash, sessionsHash }
  return typeof recomputed === 'string' ? { ...known, recomputed } : known
}

async function stopFaulty(
  comparison: ReplicaComparison,
  replicas: CheckGroupOptions['replicas'],
): Promise<void> {
  const { group, index, agreed } = comparison
  if (agreed === undefined) return
  const argument: Plain = { group, index, hash: agreed.hash, sessionsHash: agreed.sessionsHash }
  for (const { node } of faultyReplicas(comparison)) {
    const call = replicas.find((replica) => replica.node === node)?.call
    // One that cannot be told is found again the next time.
    await call?.operate('replicas.condemn', argument).catch(() => {})
  }
}
