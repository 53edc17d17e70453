import { useEffect, useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import type { CronDefinition, CronOverview, CronRecord } from '../api/types.ts'
import { clusterNowMs } from '../live/live-state.ts'
import { usePolled } from '../live/polled.ts'
import { Badge, Label } from '../parts/badge.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { formatDuration, formatMoment } from '../text/format.ts'
import { locale, t } from '../text/language.ts'
import { type ScheduleOrder, ScheduleDialog } from './schedule-dialog.tsx'
import { ScheduleHistory } from './schedule-history.tsx'

/** Of more schedules the last runs are read only when they are asked for. */
const openAtFirst = 10
const recordsShown = 8

/** What is run once for all instances: when it is due next, what runs, how the last runs ended. */
export function SchedulesView() {
  const { value, problem, refresh } = usePolled(api.schedules)
  const [order, setOrder] = useState<ScheduleOrder>()
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.schedules')}</h1>
        <p>{t('schedules.about')}</p>
      </div>
      <PartProblem problem={problem} />
      {value?.length === 0 ? (
        <section class="panel">
          <Empty
            text={t('schedules.none')}
            command="await althing.cron.schedule({ name: 'report', schedule: '0 3 * * *', run })"
          />
        </section>
      ) : (
        (value ?? []).map((schedule, index) => (
          <SchedulePanel
            key={schedule.name}
            schedule={schedule}
            isOpenAtFirst={index < openAtFirst}
            onOrder={setOrder}
          />
        ))
      )}
      {order === undefined ? null : (
        <ScheduleDialog order={order} onClose={() => setOrder(undefined)} onDone={refresh} />
      )}
    </>
  )
}

function SchedulePanel({
  schedule,
  isOpenAtFirst,
  onOrder,
}: {
  readonly schedule: CronOverview
  readonly isOpenAtFirst: boolean
  readonly onOrder: (order: ScheduleOrder) => void
}) {
  const { name, definition } = schedule
  const [isOpen, setOpen] = useState(isOpenAtFirst)
  return (
    <div data-schedule={name}>
      <Panel
        title={<span class="mono break">{name}</span>}
        note={<span class="mono">{timesText(definition)}</span>}
        end={<Orders schedule={schedule} onOrder={onOrder} />}
      >
        <div class="panel-body schedule-now">
          <Due schedule={schedule} />
          <Runs schedule={schedule} />
        </div>
        <details
          class="schedule-history"
          open={isOpen}
          onToggle={(event) => setOpen(event.currentTarget.open)}
        >
          <summary>{t('schedules.history')}</summary>
          {isOpen ? <History schedule={schedule} /> : null}
        </details>
      </Panel>
    </div>
  )
}

function Orders({
  schedule: { name, paused },
  onOrder,
}: {
  readonly schedule: CronOverview
  readonly onOrder: (order: ScheduleOrder) => void
}) {
  const kinds = ['run', paused === undefined ? 'pause' : 'resume'] as const
  return (
    <span class="button-row">
      {kinds.map((kind) => (
        <button
          key={kind}
          class="button small"
          type="button"
          aria-label={t(`schedules.${kind}Named`, { name })}
          onClick={() => onOrder({ kind, name })}
        >
          {t(`schedules.${kind}`)}
        </button>
      ))}
    </span>
  )
}

function Due({ schedule: { nextMs, paused } }: { readonly schedule: CronOverview }) {
  if (paused !== undefined) {
    const since = formatDuration(clusterNowMs.value - paused.atMs, locale.value)
    return (
      <div>
        <Badge tone="warn">{t('schedules.paused')}</Badge>{' '}
        <span title={formatMoment(paused.atMs, locale.value)}>
          {t('schedules.pausedBy', { by: paused.by, since })}
        </span>{' '}
        <span class="dim break">{paused.reason}</span>
      </div>
    )
  }
  if (nextMs === undefined) return null
  const moment = formatMoment(nextMs, locale.value)
  const leftMs = nextMs - clusterNowMs.value
  // So much later than its time an instance that lives has taken it.
  if (leftMs < -lateMs) return <Badge tone="bad">{t('schedules.due', { moment })}</Badge>
  return <div>{t('schedules.next', { moment, time: formatDuration(leftMs, locale.value) })}</div>
}

const lateMs = 10_000

function Runs({ schedule: { running, waiting } }: { readonly schedule: CronOverview }) {
  return (
    <>
      {running.length === 0 ? <div class="dim">{t('schedules.nothingRuns')}</div> : null}
      {running.map(({ id, attempt, by, startedMs }) => (
        <div key={`${id}.${attempt}`}>
          <Badge tone="accent">
            {t('schedules.running', {
              id,
              by,
              since: formatDuration(clusterNowMs.value - startedMs, locale.value),
            })}
          </Badge>{' '}
          {attempt > 1 ? <Label>{t('schedules.attempt', { attempt })}</Label> : null}
        </div>
      ))}
      {waiting.length === 0 ? null : (
        <div class="dim">{t('schedules.waiting', { count: waiting.length, id: waiting[0]?.id ?? '' })}</div>
      )}
    </>
  )
}

/** Read again whenever the schedule has moved on: only then can there be another record. */
function History({ schedule }: { readonly schedule: CronOverview }) {
  const { name, decidedUntilMs, running, waiting } = schedule
  const [records, setRecords] = useState<readonly CronRecord[]>()
  const [failures, setFailures] = useState(0)
  const state = JSON.stringify([decidedUntilMs, running, waiting])
  useEffect(() => {
    let isOver = false
    let timer: ReturnType<typeof setTimeout> | undefined
    api.scheduleHistory(name, recordsShown).then(
      (next) => {
        if (!isOver) setRecords(next)
      },
      () => {
        // What was read before stays; the page says above that the store cannot be asked.
        if (!isOver) timer = setTimeout(() => setFailures((before) => before + 1), retryMs)
      },
    )
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [name, state, failures])
  return records === undefined ? null : <ScheduleHistory records={records} />
}

const retryMs = 3_000

function timesText({ schedule, everyMs, timeZone }: CronDefinition): string {
  return schedule === undefined
    ? t('schedules.every', { time: formatDuration(everyMs ?? 0, locale.value) })
    : `${schedule} (${timeZone})`
}
