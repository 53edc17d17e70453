import { api } from '../api/client.ts'
import type { Finding } from '../api/types.ts'
import { history, snapshot } from '../live/live-state.ts'
import { usePolled } from '../live/polled.ts'
import { Badge, type Tone } from '../parts/badge.tsx'
import { Command } from '../parts/command.tsx'
import { Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { RateChart } from '../parts/rate-chart.tsx'
import { formatDuration } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

const tones: Readonly<Record<Finding['severity'], Tone>> = { ok: 'ok', warning: 'warn', problem: 'bad' }
/** What has just begun needs no age. */
const shownMs = 5_000

/** What the doctor finds, from the node behind the page. */
export function HealthView() {
  const { value, problem } = usePolled(api.doctor)
  const findings = value?.findings ?? snapshot.value?.findings ?? []
  const wrong = findings.filter(({ severity }) => severity !== 'ok')
  const well = findings.filter(({ severity }) => severity === 'ok')
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.health')}</h1>
        <p>{t('doctor.about')}</p>
      </div>
      <PartProblem problem={problem} />
      <Panel title={t('doctor.wrong')} note={t('doctor.wrongCount', { count: wrong.length })}>
        {wrong.length === 0 ? (
          <p class="panel-body dim" data-test="all-well">
            {t(value === undefined ? 'doctor.looking' : 'doctor.nothing')}
          </p>
        ) : (
          <ul class="findings" data-test="findings">
            {wrong.map((finding) => (
              <FindingLine key={keyOf(finding)} finding={finding} />
            ))}
          </ul>
        )}
      </Panel>
      <HealthCharts />
      {well.length === 0 ? null : (
        <Panel title={t('doctor.well')} note={t('doctor.wellNote')}>
          <ul class="findings" data-test="well">
            {well.map((finding) => (
              <FindingLine key={keyOf(finding)} finding={finding} />
            ))}
          </ul>
        </Panel>
      )}
    </>
  )
}

function HealthCharts() {
  return (
    <div class="columns-3">
      <RateChart
        title={t('chart.disk')}
        series={[{ name: 'diskMs', label: t('chart.slowest') }]}
        history={history.value}
        unit="ms"
      />
      <RateChart
        title={t('chart.loop')}
        series={[{ name: 'loopMs', label: t('chart.slowest') }]}
        history={history.value}
        unit="ms"
      />
      <RateChart
        title={t('chart.leader')}
        series={[{ name: 'leaderChanges', label: t('chart.lastHour') }]}
        history={history.value}
        unit="count"
      />
    </div>
  )
}

function FindingLine({ finding }: { readonly finding: Finding }) {
  const { check, severity, message, advice, command, forMs } = finding
  return (
    <li data-check={check} data-severity={severity}>
      <Badge tone={tones[severity]}>{t(`check.${check}`)}</Badge>
      <div>
        <span lang="en">{message}</span>
        {forMs === undefined || forMs < shownMs ? null : (
          <span class="dim"> · {t('doctor.since', { time: formatDuration(forMs, locale.value) })}</span>
        )}
        {advice === undefined ? null : (
          <div class="dim" lang="en">
            {advice}
          </div>
        )}
        {command === undefined || severity === 'ok' ? null : <Command text={command} />}
      </div>
    </li>
  )
}

function keyOf({ check, node, subject }: Finding): string {
  return `${check} ${node} ${subject}`
}
