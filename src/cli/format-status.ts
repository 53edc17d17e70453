import { formatDurationMs } from '../base/duration.ts'
import { leaderAmong, type MemberAnswer } from './ask-members.ts'
import { formatTable } from './format-table.ts'

const head = ['ID', 'ADDRESS', 'ROLE', 'TERM', 'COMMIT', 'APPLIED', 'LAG', 'KEYS', 'UP', 'STATE'] as const

/** The members as a table, and below it what is wrong. */
export function formatStatus(answers: readonly MemberAnswer[]): string {
  const newest = Math.max(0, ...answers.map(({ status }) => status?.commitIndex ?? 0))
  const rows = answers.map((answer) => row(answer, newest))
  return (
    formatTable([[...head], ...rows]) +
    statusProblems(answers)
      .map((problem) => `! ${problem}\n`)
      .join('')
  )
}

function row({ id, address, status }: MemberAnswer, newest: number): (string | number)[] {
  if (status === undefined) return [id, address, '-', '-', '-', '-', '-', '-', '-', 'does not answer']
  const { role, term, commitIndex, appliedIndex, keys, uptimeMs, isReady } = status
  const lag = Math.max(0, newest - appliedIndex)
  return [
    id,
    address,
    role,
    term,
    commitIndex,
    appliedIndex,
    lag,
    keys,
    formatDurationMs(uptimeMs),
    isReady ? 'ready' : 'not ready',
  ]
}

/** What is wrong with the cluster now, in words. */
export function statusProblems(answers: readonly MemberAnswer[]): string[] {
  const silent = answers.filter(({ status }) => status === undefined)
  const quorum = Math.floor(answers.length / 2) + 1
  const alive = answers.length - silent.length
  const problems = silent.map(({ id, address }) => `node ${id} (${address}) does not answer`)
  if (alive < quorum)
    problems.push(
      `no quorum: ${alive} of ${answers.length} answer, ${quorum} are needed; nothing can be written`,
    )
  else if (leaderAmong(answers) === undefined) problems.push('no member leads at the moment')
  for (const { status } of answers) {
    if (status?.problem !== undefined) problems.push(`node ${status.id}: ${status.problem}`)
    if (status !== undefined && status.blocked.length > 0)
      problems.push(`node ${status.id} is cut off from ${status.blocked.join(', ')} by a fault drill`)
  }
  return problems
}
