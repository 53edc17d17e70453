import { formatDurationMs } from '../base/duration.ts'
import { type MemberAnswer, statusProblems, votersAmong } from '../node/diagnosis/member-answer.ts'
import { sightAmong, shownSight } from '../node/diagnosis/member-sight.ts'
import { formatTable } from './format-table.ts'

const head = [
  'ID',
  'ADDRESS',
  'ROLE',
  'TERM',
  'COMMIT',
  'APPLIED',
  'LAG',
  'KEYS',
  'UP',
  'SEEN',
  'STATE',
] as const

/** The members as a table, and below it what is wrong. */
export function formatStatus(answers: readonly MemberAnswer[]): string {
  const newest = Math.max(0, ...answers.map(({ status }) => status?.commitIndex ?? 0))
  const voters = votersAmong(answers)
  const rows = answers.map((answer) =>
    row(answer, newest, voters.includes(answer), seenAs(answers, answer.id)),
  )
  return (
    formatTable([[...head], ...rows]) +
    statusProblems(answers)
      .map(({ message }) => `! ${message}\n`)
      .join('')
  )
}

function seenAs(answers: readonly MemberAnswer[], id: number): string {
  const shared = sightAmong(answers, id)
  return shared === undefined ? '-' : shownSight(shared.sight)
}

function row(
  { id, address, status }: MemberAnswer,
  newest: number,
  isVoter: boolean,
  seen: string,
): (string | number)[] {
  if (status === undefined) return [id, address, '-', '-', '-', '-', '-', '-', '-', seen, 'does not answer']
  const { role, term, commitIndex, appliedIndex, keys, uptimeMs, isReady } = status
  const lag = Math.max(0, newest - appliedIndex)
  return [
    id,
    address,
    isVoter ? role : 'learner',
    term,
    commitIndex,
    appliedIndex,
    lag,
    keys,
    formatDurationMs(uptimeMs),
    seen,
    isReady ? 'ready' : 'not ready',
  ]
}
