import type { NodeStatus } from '../../engines/cluster/node-status.ts'

/** One member as it answered just now. */
export interface MemberAnswer {
  /** 0 when it does not answer and no other member names it. */
  readonly id: number
  readonly address: string
  /** Undefined: it does not answer. */
  readonly status?: NodeStatus
  /** By how much its wall clock is ahead of the one here; off by `roundTripMs` / 2 at most. */
  readonly clockAheadMs?: number
  readonly roundTripMs?: number
}

/** The member that leads in the highest term. */
export function leaderAmong(answers: readonly MemberAnswer[]): NodeStatus | undefined {
  return answers
    .flatMap(({ status }) => (status?.role === 'leader' ? [status] : []))
    .sort((a, b) => b.term - a.term)[0]
}

/** Those that vote: all, where nobody says. Learners do not count in a quorum. */
export function votersAmong(answers: readonly MemberAnswer[]): readonly MemberAnswer[] {
  const known = leaderAmong(answers) ?? answers.find(({ status }) => status !== undefined)?.status
  if (known === undefined) return answers
  const learners = known.members.filter(({ isVoter }) => !isVoter).map(({ id }) => id)
  return answers.filter(({ id }) => !learners.includes(id))
}

/** Something wrong with the cluster now. */
export interface StatusProblem {
  readonly message: string
  readonly kind: 'silent' | 'no-quorum' | 'no-leader' | 'not-ready' | 'drill'
  /** The member that it is about; absent: the cluster. */
  readonly node?: number
}

export function statusProblems(answers: readonly MemberAnswer[]): StatusProblem[] {
  const voters = votersAmong(answers)
  const quorum = Math.floor(voters.length / 2) + 1
  const alive = voters.filter(({ status }) => status !== undefined).length
  const problems: StatusProblem[] = answers
    .filter(({ status }) => status === undefined)
    .map(({ id, address }) => ({
      kind: 'silent',
      node: id,
      message: `node ${id} (${address}) does not answer`,
    }))
  if (alive < quorum) {
    const message = `no quorum: ${alive} of ${voters.length} answer, ${quorum} are needed; nothing can be written`
    problems.push({ kind: 'no-quorum', message })
  } else if (leaderAmong(answers) === undefined)
    problems.push({ kind: 'no-leader', message: 'no member leads at the moment' })
  for (const { status } of answers) {
    if (status?.problem !== undefined)
      problems.push({ kind: 'not-ready', node: status.id, message: `node ${status.id}: ${status.problem}` })
    if (status !== undefined && status.blocked.length > 0) {
      const message = `node ${status.id} is cut off from ${status.blocked.join(', ')} by a fault drill`
      problems.push({ kind: 'drill', node: status.id, message })
    }
  }
  return problems
}
