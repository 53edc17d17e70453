import type { ReplicaHash } from './checkpoint-log.ts'

/** What one copy answered. */
export interface ReplicaAnswer {
  readonly node: number
  readonly hash?: ReplicaHash
  /** Why there is no hash. */
  readonly problem?: string
}

/**
 * - `same`: as most copies are, and sound;
 * - `differs`: it has another state than most copies;
 * - `damaged`: what it holds in memory is not what it was given;
 * - `unknown`: it gave no hash, or no state is held by most copies.
 */
export type ReplicaVerdict = 'same' | 'differs' | 'damaged' | 'unknown'

export interface JudgedReplica extends ReplicaAnswer {
  readonly verdict: ReplicaVerdict
}

export interface ReplicaComparison {
  readonly group: number
  readonly name: string
  /** Place of the log at which the copies were compared. */
  readonly index: number
  /** The state that more than half of all the group's copies have, if there is one, soundly. */
  readonly agreed?: { readonly revision: number; readonly hash: string; readonly sessionsHash: string }
  readonly replicas: readonly JudgedReplica[]
}

/** `answers` has one for each copy of the group. */
export function compareReplicas(
  group: { readonly group: number; readonly name: string; readonly index: number },
  answers: readonly ReplicaAnswer[],
): ReplicaComparison {
  const sound = answers.flatMap(({ hash }) => (hash === undefined || isDamaged(hash) ? [] : [hash]))
  const agreed = sound.find(
    (hash) => sound.filter((other) => stateOf(other) === stateOf(hash)).length > answers.length / 2,
  )
  const areAllSame =
    new Set(answers.flatMap(({ hash }) => (hash === undefined ? [] : [stateOf(hash)]))).size <= 1
  const replicas = answers.map((answer) => ({ ...answer, verdict: verdictOf(answer, agreed, areAllSame) }))
  if (agreed === undefined) return { ...group, replicas }
  const { revision, hash, sessionsHash } = agreed
  return { ...group, agreed: { revision, hash, sessionsHash }, replicas }
}

/** Copies that are not what they should be, by a sound majority or by themselves. */
export function faultyReplicas({ replicas }: ReplicaComparison): JudgedReplica[] {
  return replicas.filter(({ verdict }) => verdict === 'differs' || verdict === 'damaged')
}

/** Nothing was found wrong in what answered; a copy that did not answer is not counted. */
export function isSound({ replicas }: ReplicaComparison): boolean {
  return replicas.every(({ verdict, hash }) => verdict === 'same' || hash === undefined)
}

function verdictOf(
  { hash }: ReplicaAnswer,
  agreed: ReplicaHash | undefined,
  areAllSame: boolean,
): ReplicaVerdict {
  if (hash === undefined) return 'unknown'
  if (isDamaged(hash)) return 'damaged'
  if (agreed === undefined) return areAllSame ? 'same' : 'unknown'
  return stateOf(hash) === stateOf(agreed) ? 'same' : 'differs'
}

export function isDamaged({ hash, recomputed }: ReplicaHash): boolean {
  return recomputed !== undefined && recomputed !== hash
}

function stateOf({ revision, hash, sessionsHash }: ReplicaHash): string {
  return `${revision} ${hash} ${sessionsHash}`
}
