import type { SimulatedProcess } from './simulated-process.ts'

/**
 * What the system under test must be able to bear. The injector asks before it harms a process for longer than an instant, so that
 * within the rule every loss is a bug and never an excuse.
 */
export interface SurvivabilityRule {
  /** May `candidate` stop (crash, fail for a disk error), while those of `down` are down? */
  mayStop(candidate: SimulatedProcess, down: ReadonlySet<SimulatedProcess>): boolean
  /** May durable data of `candidate` be damaged, while those of `damaged` are and have not been rebuilt? */
  mayDamage(candidate: SimulatedProcess, damaged: ReadonlySet<SimulatedProcess>): boolean
}

/**
 * For a group that keeps its data on a majority: any of it may stop, all at once too, for what was synced comes back; but
 * at most a minority may have damaged data.
 */
export function minorityOf(members: readonly SimulatedProcess[]): SurvivabilityRule {
  const minority = Math.floor((members.length - 1) / 2)
  return {
    mayStop: (candidate) => members.includes(candidate),
    mayDamage: (candidate, damaged) => {
      const others = members.filter((member) => member !== candidate && damaged.has(member))
      return members.includes(candidate) && others.length < minority
    },
  }
}

/** Nothing may stop and nothing may be damaged: network, clocks and stalls alone. */
export const nothingStops: SurvivabilityRule = { mayStop: () => false, mayDamage: () => false }
