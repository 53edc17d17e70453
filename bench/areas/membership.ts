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

const quietGroups: readonly (readonly [size: number, crashes: number, periodMs: number])[] = [
  [10, 300, 1_000],
  [100, 100, 1_000],
  [100, 100, 200],
  [1_000, 4, 1_000],
]
const slowGroups: readonly SlowMembers[] = [
  { size: 64, what: 'messages', slow: 6, blockedMs: 8_000, openMs: 1_000, forMs: 120_000 },
  { size: 64, what: 'messages', slow: 6, blockedMs: 12_000, openMs: 1, forMs: 120_000 },
  { size: 64, what: 'loop', slow: 16, blockedMs: 8_000, openMs: 1_000, forMs: 120_000 },
  { size: 64, what: 'loop', slow: 6, blockedMs: 12_000, openMs: 1, forMs: 120_000 },
]
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

/** What failure detection costs and how often it is wrong, in the simulator, beside what is expected or published. The same on every machine. */
export function benchMembership(print: (text: string) => void): AreaResult {
  const detections = quietGroups.map((each) => measureDetection(...each))
  print(`One crash in a quiet group (expected: first detection after e/(e-1) = 1.58 periods)\n`)
  print(tableOfDetections(detections))
  const wrong = slowGroups.map((group) => ({ ...group, found: compareVariants(group, print) }))
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
  const hundred = detections.find(({ size, periodMs }) => size === 100 && periodMs === 1_000)
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
      'period, ms',
      'first, periods',
      'suspected, ms',
      'failed at all, ms',
      'p99',
      'first to last, periods',
      'messages',
      'wrong',
    ],
    detections.map((each) => [
      String(each.size),
      String(each.periodMs),
      formatNumber(each.firstPeriods),
      formatNumber(each.suspectedMs),
      formatNumber(each.knownMs),
      formatNumber(each.knownP99Ms),
      formatNumber(each.spreadPeriods),
      formatNumber(each.messagesPerMemberAndPeriod),
      String(each.wrong),
    ]),
  )
}

interface Compared extends WrongFailures {
  readonly name: string
}

function compareVariants(group: SlowMembers, print: (text: string) => void): readonly Compared[] {
  const { size, what, slow, blockedMs, openMs, forMs } = group
  const whose = what === 'loop' ? 'the event loops' : 'the messages'
  print(
    `\nOf ${slow} of ${size} members ${whose} stand still for ${blockedMs} ms, go on for ${openMs} ms, again and`,
  )
  print(`again, for ${forMs / 1_000} s; ${seeds.length} seeds. Nobody crashes.\n`)
  const found = variants.map(([name, refinements]) => ({ name, ...wrongFailures(group, refinements) }))
  print(tableOfWrong(found))
  return found
}

function wrongFailures(group: SlowMembers, refinements: Refinements): WrongFailures {
  const runs = seeds.map((seed) => measureWrongFailures(group, refinements, seed))
  return {
    all: runs.reduce((sum, { all }) => sum + all, 0),
    ofHealthy: runs.reduce((sum, { ofHealthy }) => sum + ofHealthy, 0),
  }
}

function tableOfWrong(wrong: readonly Compared[]): string {
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
