import type { Refinements } from '../../src/protocols/membership/types.ts'
import {
  type Detection,
  measureDetection,
  measurePhi,
  measureWrongFailures,
  type SlowMembers,
  type WrongFailures,
} from '../../src/testing/swim-simulation/measure.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { rounded } from '../statistics.ts'
import { ownResult } from './ours-only.ts'

const crashesOf: Readonly<Record<number, number>> = { 10: 300, 100: 60, 1_000: 4 }
const slowGroup: SlowMembers = { size: 64, slow: 6, blockedMs: 12_000, openMs: 1, forMs: 150_000 }
const seeds = [1, 2]
const thresholds = [1, 2, 4, 8, 12, 16]
const heartbeats = 40_000

const none: Refinements = { localHealth: false, dynamicSuspicion: false, buddy: false, stallAware: false }
const lifeguard: Refinements = { localHealth: true, dynamicSuspicion: true, buddy: true, stallAware: false }
const variants: readonly (readonly [name: string, refinements: Refinements])[] = [
  ['SWIM', none],
  ['with LHA-Probe', { ...none, localHealth: true }],
  ['with LHA-Suspicion', { ...none, dynamicSuspicion: true }],
  ['with the buddy system', { ...none, buddy: true }],
  ['Lifeguard', lifeguard],
  ['Lifeguard, stall-aware', { ...lifeguard, stallAware: true }],
]

/** What failure detection costs and how often it is wrong, in the simulator, beside what the papers say. The same on every machine. */
export function benchMembership(print: (text: string) => void): AreaResult {
  const detections = Object.entries(crashesOf).map(([size, crashes]) =>
    measureDetection(Number(size), crashes),
  )
  print(`One crash in a quiet group (published: first detection after e/(e-1) = 1.58 periods on average)\n`)
  print(tableOfDetections(detections))
  const wrong = variants.map(([name, refinements]) => ({ name, ...wrongFailures(refinements) }))
  const { size, slow, blockedMs, openMs, forMs } = slowGroup
  print(
    `\n${slow} of ${size} members stand still for ${blockedMs} ms, go on for ${openMs} ms, again and again, for`,
  )
  print(`${forMs / 1_000} s; ${seeds.length} seeds. Nobody crashes, so each failure is wrong.\n`)
  print(tableOfWrong(wrong))
  const phi = thresholds.map((threshold) => measurePhi(threshold, heartbeats))
  print(`\nphi accrual, ${heartbeats} heartbeats, one each 100 ms\n`)
  print(
    formatTable(
      ['threshold', 'detection ms', 'mistakes in a million'],
      phi.map((each) => [
        String(each.threshold),
        formatNumber(each.detectionMs),
        formatNumber(each.mistakesPerMillion),
      ]),
    ),
  )
  const hundred = detections.find((each) => each.size === 100)
  return ownResult('membership', {
    headline: hundred === undefined ? null : rounded(hundred.firstPeriods),
    unit: 'periods to the first detection in a group of 100',
    setup: { ours: 'simulator', detections, wrong, phi },
  })
}

function tableOfDetections(detections: readonly Detection[]): string {
  return formatTable(
    [
      'members',
      'first, periods',
      'suspected, ms',
      'failed at all, ms',
      'first to last, periods',
      'messages',
      'wrong',
    ],
    detections.map((each) => [
      String(each.size),
      formatNumber(each.firstPeriods),
      formatNumber(each.suspectedMs),
      formatNumber(each.knownMs),
      formatNumber(each.spreadPeriods),
      formatNumber(each.messagesPerMemberAndPeriod),
      String(each.wrong),
    ]),
  )
}

function wrongFailures(refinements: Refinements): WrongFailures {
  const runs = seeds.map((seed) => measureWrongFailures(slowGroup, refinements, seed))
  return {
    all: runs.reduce((sum, { all }) => sum + all, 0),
    ofHealthy: runs.reduce((sum, { ofHealthy }) => sum + ofHealthy, 0),
  }
}

function tableOfWrong(wrong: readonly (WrongFailures & { readonly name: string })[]): string {
  const [plain] = wrong
  const share = (value: number, of: number): string =>
    of === 0 ? '-' : `${formatNumber((100 * value) / of)} %`
  return formatTable(
    ['', 'wrong failures', 'of SWIM', 'of healthy members', 'of SWIM'],
    wrong.map(({ name, all, ofHealthy }) => [
      name,
      String(all),
      share(all, plain?.all ?? 0),
      String(ofHealthy),
      share(ofHealthy, plain?.ofHealthy ?? 0),
    ]),
  )
}
