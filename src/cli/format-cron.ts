import { formatDurationMs } from '../base/duration.ts'
import type { CronDefinition, CronOverview, CronRecord } from '../coordination/cron/cron-types.ts'
import { formatTime } from './format-time.ts'

/** Each schedule with its next time, what runs and what waits. */
export function formatSchedules(schedules: readonly CronOverview[], nowMs: number): string {
  if (schedules.length === 0) return 'there is no schedule\n'
  return schedules.map((schedule) => formatSchedule(schedule, nowMs)).join('')
}

/** A line for each, newest first. */
export function formatHistory(records: readonly CronRecord[]): string {
  if (records.length === 0) return 'nothing has been run yet\n'
  return records.map((record) => `${formatRecord(record)}\n`).join('')
}

function formatSchedule(schedule: CronOverview, nowMs: number): string {
  const { name, definition, nextMs, paused, running, waiting } = schedule
  const facts = [rulesOf(definition)]
  if (nextMs !== undefined) facts.push(nextText(nextMs, nowMs))
  if (paused !== undefined) {
    const why = paused.reason === undefined ? '' : `: ${paused.reason}`
    facts.push(`paused by ${paused.by} since ${formatTime(paused.atMs)}${why}`)
  }
  for (const run of running)
    facts.push(`runs: ${run.id} on ${run.by}, for ${formatDurationMs(Math.max(0, nowMs - run.startedMs))}`)
  if (waiting.length > 0) facts.push(`${waiting.length} waiting, first ${waiting[0]?.id}`)
  return `${name}: ${timesText(definition)}\n${facts.map((fact) => `  ${fact}\n`).join('')}`
}

function timesText({ schedule, everyMs, timeZone }: CronDefinition): string {
  return schedule === undefined ? `every ${formatDurationMs(everyMs ?? 0)}` : `${schedule} (${timeZone})`
}

function rulesOf({ missed, overlap, delivery }: CronDefinition): string {
  return `${delivery}, missed: ${missed}, overlap: ${overlap}`
}

function nextText(nextMs: number, nowMs: number): string {
  const leftMs = nextMs - nowMs
  if (leftMs >= 0) return `next ${formatTime(nextMs)}, in ${formatDurationMs(leftMs)}`
  return `due since ${formatTime(nextMs)}: no instance has taken it yet`
}

function formatRecord(record: CronRecord): string {
  const { id, outcome, count, by, attempt = 1, durationMs, result, error } = record
  const parts = [id, outcome]
  if (count > 1) parts.push(`(${count} occurrences)`)
  if (attempt > 1) parts.push(`attempt ${attempt}`)
  if (durationMs !== undefined) parts.push(`after ${formatDurationMs(durationMs)}`)
  if (by !== undefined) parts.push(`on ${by}`)
  const said = error ?? result
  return said === undefined ? parts.join(' ') : `${parts.join(' ')}: ${said}`
}
