import type { StoreCapabilities } from '../../contracts/store.ts'
import type { Guarantee } from '../../coordination/guarantees.ts'
import type { ConformanceAbility, ConformanceBed, ConformanceOptions } from './bed.ts'
import { Scene } from './scene.ts'

/** A claim of the engine's capabilities that a case proves. */
export type ConformanceClaim = Guarantee | 'exactly-once' | 'watch-progress'

export interface ConformanceCase {
  /** A behaviour, unique in the suite. */
  readonly name: string
  /** The part of the contract. */
  readonly area: string
  /** What the engine claims and this case proves; absent where the contract demands it of every engine. */
  readonly proves?: ConformanceClaim
  /** Why the case does not apply: the engine does not claim it, or the bed cannot show it. To be listed with the result; the case need not be run. */
  readonly absence?: string
  /** Rejects when the behaviour is not shown. Leaves nothing open, and no keys or leases of its own unless it fails. */
  run(bed: ConformanceBed): Promise<void>
}

/** A case as it is written: `needs` and `proves` decide whether it applies. */
export interface CaseDefinition {
  readonly name: string
  readonly proves?: ConformanceClaim
  readonly needs?: readonly ConformanceAbility[]
  readonly play: (scene: Scene) => Promise<void>
}

/** A rarer report of progress is none, for a case that is not to last. */
const progressMsMax = 5_000

const holds: Readonly<Record<ConformanceClaim, (capabilities: StoreCapabilities) => boolean>> = {
  linearizable: (capabilities) => capabilities.linearizable,
  durable: (capabilities) => capabilities.durability !== 'memory',
  'lease-survives-failover': (capabilities) => capabilities.leaseSurvivesFailover,
  'server-time': (capabilities) => capabilities.timeAuthority === 'server',
  fencing: (capabilities) => capabilities.fencing,
  'watch-resume': (capabilities) => capabilities.watchResume,
  'exactly-once': (capabilities) => capabilities.exactlyOnce,
  'watch-progress': ({ watchProgressMsMin = 0 }) => watchProgressMsMin <= progressMsMax,
}

const lacking: Readonly<Record<ConformanceAbility, string>> = {
  clients: 'has one client at a time',
  restart: 'cannot be restarted on the same data',
  failover: 'has no second member to take over',
  cut: 'has no connections to cut',
  'bulk-renewal': 'has no keepLeasesAlive',
}

/** The definition as a case of one engine. */
export function toCase(
  area: string,
  definition: CaseDefinition,
  options: ConformanceOptions,
): ConformanceCase {
  const { name, proves, play } = definition
  const absence = absenceOf(definition, options)
  return {
    name,
    area,
    ...(proves === undefined ? {} : { proves }),
    ...(absence === undefined ? {} : { absence }),
    run: (bed) => Scene.play(bed, options, play),
  }
}

function absenceOf(
  { proves, needs = [] }: CaseDefinition,
  { capabilities, abilities = [] }: ConformanceOptions,
): string | undefined {
  if (proves !== undefined && !holds[proves](capabilities)) return `the engine does not claim '${proves}'`
  const missing = needs.find((need) => !abilities.includes(need))
  return missing === undefined ? undefined : `the engine, as it is set up here, ${lacking[missing]}`
}
