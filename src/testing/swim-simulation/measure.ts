import { createFailureDetector } from '../../protocols/failure-detection/failure-detector.ts'
import type { Refinements } from '../../protocols/membership/types.ts'
import { SeededRandom } from '../world/seeded-random.ts'
import { SwimGroup } from './swim-group.ts'

const usualPeriodMs = 1_000

export interface Detection {
  readonly size: number
  readonly crashes: number
  readonly periodMs: number
  /** Periods until the first member suspects a crash, counting those begun after it, until one in which it is probed. With n members that each draw one at random nobody draws it with odds of (1 - 1/n)^n, about 1/e: so e/(e-1) = 1.58 are expected. */
  readonly firstPeriods: number
  /** From the crash to the first suspicion, whose own period is part of it. */
  readonly suspectedMs: number
  /** From the crash until every live member has it as failed. */
  readonly knownMs: number
  /** So soon after 99 of 100 crashes. */
  readonly knownP99Ms: number
  /** From the first member that has it as failed to the last, in periods. */
  readonly spreadPeriods: number
  /** Of the whole time. */
  readonly messagesPerMemberAndPeriod: number
  /** Suspicions of members that run. */
  readonly wrong: number
}

type FoundCrash = Omit<Detection, 'crashes' | 'periodMs' | 'knownP99Ms'>

/** The mean over `crashes` of a quiet group, one after another in groups of their own. */
export function measureDetection(size: number, crashes: number, periodMs = usualPeriodMs): Detection {
  const found = Array.from({ length: crashes }, (_, i) => detectOne(size, i + 1, periodMs))
  const known = found.map(({ knownMs }) => knownMs).toSorted((a, b) => a - b)
  const mean = (of: (each: FoundCrash) => number): number =>
    found.reduce((sum, each) => sum + of(each), 0) / found.length
  return {
    size,
    crashes,
    periodMs,
    firstPeriods: mean((each) => each.firstPeriods),
    suspectedMs: mean((each) => each.suspectedMs),
    knownMs: mean((each) => each.knownMs),
    knownP99Ms: known[Math.ceil(0.99 * known.length) - 1] ?? 0,
    spreadPeriods: mean((each) => each.spreadPeriods),
    messagesPerMemberAndPeriod: mean((each) => each.messagesPerMemberAndPeriod),
    wrong: found.reduce((sum, each) => sum + each.wrong, 0),
  }
}

function detectOne(size: number, seed: number, periodMs: number): FoundCrash {
  const victim = 'm1'
  const failedMs: number[] = []
  let suspectMs = Number.POSITIVE_INFINITY
  let wrong = 0
  const group = new SwimGroup({
    seed,
    size,
    swim: { probeIntervalMs: periodMs, probeTimeoutMs: periodMs / 2 },
    happened: (_, effect, nowMs) => {
      if (effect.type !== 'changed') return
      const { id, state } = effect.member
      if (id !== victim && (state === 'suspect' || state === 'failed')) wrong++
      if (id === victim && state === 'suspect') suspectMs = Math.min(suspectMs, nowMs)
      if (id === victim && state === 'failed') failedMs.push(nowMs)
    },
  })
  const crashMs = (2 + new SeededRandom(`${seed}/crash`).float() * 3) * periodMs
  group.runUntil(crashMs)
  group.crash(victim)
  group.runUntilTrue(() => failedMs.length === size - 1, periodMs, 600_000)
  const [first, last] = [Math.min(...failedMs), Math.max(...failedMs)]
  return {
    size,
    // The verdict comes a period after the probe.
    firstPeriods: Math.floor((suspectMs - periodMs - crashMs) / periodMs) + 1,
    suspectedMs: suspectMs - crashMs,
    knownMs: last - crashMs,
    spreadPeriods: (last - first) / periodMs,
    messagesPerMemberAndPeriod: group.messages / size / (group.nowMs / periodMs),
    wrong,
  }
}

export interface SlowMembers {
  readonly size: number
  /** What stands still: the whole event loop, or the messages alone, while the timers go on and the member judges others by a silence that is its own. */
  readonly what: 'loop' | 'messages'
  /** How many stand still again and again, */
  readonly slow: number
  /** for so long, */
  readonly blockedMs: number
  /** and go on for so long in between. */
  readonly openMs: number
  readonly forMs: number
}

/** Failures of members that run, as members have them: all, and those of members that are never slow. */
export interface WrongFailures {
  readonly all: number
  readonly ofHealthy: number
}

/** As in the experiments of the Lifeguard paper: some members are slow for a while, again and again. Nobody crashes. */
export function measureWrongFailures(
  { size, what, slow, blockedMs, openMs, forMs }: SlowMembers,
  refinements: Refinements,
  seed: number,
): WrongFailures {
  let [all, ofHealthy] = [0, 0]
  const isSlow = (id: string): boolean => Number(id.slice(1)) <= slow
  const group = new SwimGroup({
    seed,
    size,
    swim: { refinements },
    happened: (_, effect) => {
      if (effect.type !== 'changed' || effect.member.state !== 'failed') return
      all++
      if (!isSlow(effect.member.id)) ofHealthy++
    },
  })
  const random = new SeededRandom(`${seed}/blocks`)
  for (const id of group.ids.filter(isSlow)) {
    const block = (): void => {
      if (what === 'loop') group.block(id, blockedMs)
      else group.hold(id, blockedMs)
      group.at(group.nowMs + blockedMs + openMs, block)
    }
    group.at(random.float() * (blockedMs + openMs), block)
  }
  group.runUntil(forMs)
  return { all, ofHealthy }
}

export interface PhiQuality {
  readonly threshold: number
  /** From the crash to the suspicion, where the process crashes right after a heartbeat. */
  readonly detectionMs: number
  /** Wrong suspicions in a million heartbeats. */
  readonly mistakesPerMillion: number
}

/** Heartbeats every 100 ms over a network with exponential delays and, now and then, a burst of late ones. */
export function measurePhi(threshold: number, heartbeats: number): PhiQuality {
  const random = new SeededRandom('phi')
  const detector = createFailureDetector({
    kind: 'phi-accrual',
    threshold,
    deviationMsMin: 5,
    firstIntervalMs: 100,
  })
  let lastMs = 0
  let mistakes = 0
  for (let i = 1; i <= heartbeats; i++) {
    const delayMs = 20 + random.exponential(8) + (random.chance(0.002) ? random.exponential(60) : 0)
    const atMs = Math.max(lastMs, i * 100 + delayMs)
    if (detector.isSuspected(atMs - 0.001)) mistakes++
    detector.heartbeat(atMs)
    lastMs = atMs
  }
  let detectionMs = 0
  while (!detector.isSuspected(lastMs + detectionMs)) detectionMs++
  return { threshold, detectionMs, mistakesPerMillion: (mistakes / heartbeats) * 1_000_000 }
}
