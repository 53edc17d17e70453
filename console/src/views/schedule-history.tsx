import type { CronOutcome, CronRecord } from '../api/types.ts'
import { Badge, Label, type Tone } from '../parts/badge.tsx'
import { formatDuration, formatLatency, formatMoment, none } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

const tones: Readonly<Record<CronOutcome, Tone>> = {
  succeeded: 'ok',
  failed: 'bad',
  'timed-out': 'bad',
  interrupted: 'warn',
  missed: 'warn',
  skipped: 'plain',
}

/** Newest first. */
export function ScheduleHistory({ records }: { readonly records: readonly CronRecord[] }) {
  if (records.length === 0) return <p class="panel-body dim">{t('schedules.historyNone')}</p>
  return (
    <div class="table-scroll">
      <table>
        <thead>
          <tr>
            <th>{t('schedules.occurrence')}</th>
            <th>{t('schedules.outcome')}</th>
            <th class="number">{t('schedules.took')}</th>
            <th>{t('schedules.on')}</th>
            <th>{t('schedules.said')}</th>
          </tr>
        </thead>
        <tbody>
          {records.map((record) => (
            <RecordRow key={`${record.id} ${record.outcome} ${record.attempt ?? 0}`} record={record} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function RecordRow({ record }: { readonly record: CronRecord }) {
  const { id, kind, scheduledMs, outcome, count, attempt = 1, by, durationMs, result, error } = record
  return (
    <tr data-outcome={outcome}>
      <td class="nowrap" title={id}>
        {formatMoment(scheduledMs, locale.value)}{' '}
        {kind === 'manual' ? <Label>{t('schedules.manual')}</Label> : null}
        {kind === 'missed' && outcome !== 'missed' ? <Label>{t('schedules.late')}</Label> : null}
      </td>
      <td class="nowrap">
        <Badge tone={tones[outcome]}>{t(`schedules.outcome.${outcome}`)}</Badge>{' '}
        {count > 1 ? <Label>{t('schedules.count', { count })}</Label> : null}{' '}
        {attempt > 1 ? <Label>{t('schedules.attempt', { attempt })}</Label> : null}
      </td>
      <td class="number nowrap">{durationMs === undefined ? none : lengthText(durationMs)}</td>
      <td class="break">{by ?? none}</td>
      <td class={error === undefined ? 'mono break' : 'break'}>{error ?? result ?? none}</td>
    </tr>
  )
}

function lengthText(ms: number): string {
  return ms < 60_000 ? formatLatency(ms, locale.value) : formatDuration(ms, locale.value)
}
