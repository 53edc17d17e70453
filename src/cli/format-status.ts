import { formatDurationMs } from '../base/duration.ts'
import { type MemberAnswer, statusProblems } from '../node/diagnosis/member-answer.ts'
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
