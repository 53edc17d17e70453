import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { latestRate, pointsMax, type RateHistory } from '../live/rate-history.ts'
import { formatCount, formatLatency, formatRate, none } from '../text/format.ts'
import { locale, t } from '../text/language.ts'
import { theme } from '../theme.ts'

export interface Series {
  readonly name: string
  readonly label: string
}

export type Unit = 'rate' | 'ms' | 'count'

interface RateChartProps {
  readonly title: string
  readonly series: readonly Series[]
  readonly history: RateHistory
  /** `rate` (default): per second. `ms`: milliseconds. `count`: as it is. */
  readonly unit?: Unit
  /** Why there is nothing to draw, once that is known. */
  readonly emptyText?: string
}

const height = 132
const gridStepsMin = 28

/** Rates per second over the last minutes. The window has a fixed length, so that nothing jumps while it fills. */
export function RateChart({ title, series, history, unit = 'rate', emptyText }: RateChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const names = series.map(({ name }) => name).join(' ')
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const made = new uPlot(optionsFor(element, series, unit, locale.value), dataOf(history, series), element)
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [theme.value, locale.value, names, emptyText === undefined])
  useEffect(() => plot.current?.setData(dataOf(history, series)), [history])
  return (
    <figure class="panel">
      <figcaption class="chart-head">
        <h2>{title}</h2>
        {series.map((each, i) => (
          <Key key={each.name} index={i} series={each} history={history} unit={unit} />
        ))}
      </figcaption>
      {emptyText === undefined ? (
        <div class="chart-canvas" ref={place} aria-hidden="true" />
      ) : (
        <div class="chart-empty">{emptyText}</div>
      )}
    </figure>
  )
}

interface KeyProps {
  readonly index: number
  readonly series: Series
  readonly history: RateHistory
  readonly unit: Unit
}

function Key({ index, series, history, unit }: KeyProps) {
  const rate = latestRate(history, series.name)
  return (
    <span class="chart-key" style={{ '--series': `var(--series-${index + 1})` }}>
      {series.label}
      <b>{rate === undefined ? none : inUnit(rate, unit)}</b>
    </span>
  )
}

function inUnit(value: number, unit: Unit): string {
  if (unit === 'ms') return formatLatency(value, locale.value)
  if (unit === 'count') return formatCount(value, locale.value)
  return t('chart.perSecond', { rate: formatRate(value, locale.value) })
}

function dataOf(history: RateHistory, series: readonly Series[]): uPlot.AlignedData {
  const columns = series.map(({ name }) => [...(history.rates[name] ?? history.times.map(() => null))])
  return [[...history.times], ...columns]
}

function optionsFor(
  element: HTMLElement,
  series: readonly Series[],
  unit: Unit,
  localeNow: string,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const color = (name: string) => style.getPropertyValue(name).trim()
  const axis = { stroke: color('--dim'), font: `11px ${color('--sans')}`, ticks: { show: false } }
  const clock = new Intl.DateTimeFormat(localeNow, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: (_, __, last) => windowEndingAt(last) },
      y: { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * 1.15)] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        incrs: [60],
        values: (_, seconds) => seconds.map((each) => clock.format(each * 1_000)),
      },
      {
        ...axis,
        size: 48,
        space: gridStepsMin,
        grid: { stroke: color('--line'), width: 1 },
        ...(unit === 'count' ? { incrs: [1, 2, 5, 10, 50, 100, 1_000, 10_000, 100_000] } : {}),
        values: (_, rates) => rates.map((rate) => formatRate(rate, localeNow)),
      },
    ],
    series: [
      {},
      ...series.map(({ label }, i) => ({
        label,
        stroke: color(`--series-${i + 1}`),
        width: 1.5,
        points: { show: false },
        ...(i === 0 ? { fill: `${color('--series-1')}22` } : {}),
      })),
    ],
  }
}

function windowEndingAt(lastSeconds: number | null): [number, number] {
  const end = lastSeconds ?? Date.now() / 1_000
  return [end - pointsMax, end]
}
