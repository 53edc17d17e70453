import { parseArgs } from 'node:util'
import { type EngineName, engineNames } from './engines/engine.ts'

export const areas = [
  'store',
  'failover',
  'election-stability',
  'watchers',
  'leases',
  'memory',
  'idle-groups',
  'scale',
  'engines',
  'lock',
  'elections',
  'ids',
  'ring',
  'chord',
  'discovery',
  'membership',
  'config-push',
] as const
export type Area = (typeof areas)[number]

export const peers = ['etcd', 'nats'] as const
export type Peer = (typeof peers)[number]

/** What the area `store` can measure. */
export const measurements = ['put', 'get', 'txn', 'watch', 'http', 'lease', 'failover'] as const
export type Measurement = (typeof measurements)[number]

/** What the area `engines` can measure. */
export const engineMeasurements = ['put', 'get', 'lock', 'watch', 'discovery'] as const
export type EngineMeasurement = (typeof engineMeasurements)[number]

export interface BenchOptions {
  readonly area: Area
  readonly peer: Peer
  /** Numbers of closed-loop clients to measure puts with; all else is measured with 64. */
  readonly clients: readonly number[]
  /** Length of one measurement, after the warm-up. */
  readonly seconds: number
  /** Measurements of each kind; for `failover`, kills. */
  readonly rounds: number
  /** Length of `election-stability`. */
  readonly minutes: number
  /** Processes of `election-stability` that do nothing but use a core; undefined: one for each core. */
  readonly busyLoops: number | undefined
  readonly measurements: readonly Measurement[]
  readonly engineMeasurements: readonly EngineMeasurement[]
  /** Of area `engines`; undefined: all. */
  readonly engines: readonly EngineName[] | undefined
  readonly json: boolean
  /** Measure only one side. Without it, both in turn. */
  readonly only: 'ours' | 'peer' | undefined
}

export const usage = `npm run bench -- <area> [options]

Areas
  store               speed of a three-member cluster on this machine, 256-byte values, every write on the disks of a quorum
  failover            time from kill -9 of the leader to the first write that succeeds
  election-stability  elections without a cause while writes and busy loops keep every core busy
  watchers            10,000 watchers on one prefix of one node: time to the last of them, CPU, memory (ours only, as all that follow)
  leases              100,000 leases: granted, renewed, listed, expired at once
  memory              bytes of memory for each key
  idle-groups         CPU and memory of three idle nodes with one group, and with a hundred more
  scale               watchers, leases, memory and idle-groups, one after the other
  engines             the same recipes on every engine, and our layer beside each engine's bare client
  lock                acquire and release: three members beside etcd's lock, and the embedded engine beside redlock on one Redis
  elections           messages and time of elections by bully, ring, raft and lock, in the simulator
  ids                 snowflakes at their ceiling, segments, UUIDs: speed, and who repeats ids in a tight loop
  discovery           10,000 instances: clients that watch beside clients that read the whole list each second
  ring                lookups, largest share and movement on a ring of 100 members, beside npm's consistent-hash
  chord               lookups of 1,000 Chord nodes in the simulator, 0 to 50 % of them failed
  membership          failure detection in the simulator: time, messages, wrong failures with slow members
  config-push         a configuration written: time until 1 and 1,000 readers have it (ours only)

Options
  --peer NAME        what to measure beside: ${peers.join(', ')} (default ${peers[0]}; NATS takes puts only)
  --operation NAME[,NAME]  of area store: ${measurements.join(', ')} (default all)
                     of area engines: ${engineMeasurements.join(', ')} (default all)
  --engine NAME[,NAME]  of area engines: ${engineNames.join(', ')} (default all)
  --clients N[,N]    closed-loop clients of put (default 1,16,64,256; beside NATS 1,64,256), and of get in area engines and of
                     lock (default 1,16,64); all else is measured with 64
  --seconds N        length of one measurement (default 3; area engines 1)
  --rounds N         measurements of each, ours and the peer's in turn (default 3; area engines 7; area failover: kills, default 5)
  --minutes N        length of election-stability (default 2)
  --busy-loops N     of election-stability (default one for each core; 0 where other work keeps the cores busy)
  --only SIDE        ours or peer
  --json             one JSON object on the last line: { area, ours, peer, ratio, unit, setup }; a ratio over 1 means that
                     ours is better
`

const texts = {
  peer: { type: 'string' },
  clients: { type: 'string' },
  seconds: { type: 'string' },
  rounds: { type: 'string' },
  minutes: { type: 'string' },
  'busy-loops': { type: 'string' },
  operation: { type: 'string' },
  engine: { type: 'string' },
  only: { type: 'string' },
} as const

interface Defaults {
  readonly clients: string
  readonly seconds: string
  readonly rounds: string
}

function defaultsOf(area: Area, peer: Peer): Defaults {
  if (area === 'engines') return { clients: '1,16,64', seconds: '1', rounds: '7' }
  if (area === 'lock') return { clients: '1,16,64', seconds: '2', rounds: '5' }
  const clients = peer === 'nats' ? '1,64,256' : '1,16,64,256'
  return { clients, seconds: '3', rounds: area === 'failover' ? '5' : '3' }
}

/** Throws a `RangeError` whose message names the wrong value and what is allowed. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...texts, json: { type: 'boolean', default: false } },
  })
  const area = oneOf('area', positionals[0], areas)
  const peer = oneOf('--peer', values.peer ?? peers[0], peers)
  const defaults = defaultsOf(area, peer)
  return {
    area,
    peer,
    clients: (values.clients ?? defaults.clients)
      .split(',')
      .map((each) => wholeNumber('--clients', each, 4_096)),
    seconds: wholeNumber('--seconds', values.seconds ?? defaults.seconds, 3_600),
    rounds: wholeNumber('--rounds', values.rounds ?? defaults.rounds, 1_000),
    minutes: wholeNumber('--minutes', values.minutes ?? '2', 1_440),
    busyLoops:
      values['busy-loops'] === undefined
        ? undefined
        : wholeNumber('--busy-loops', values['busy-loops'], 256, 0),
    ...operationsOf(area, peer, values.operation),
    engines:
      values.engine === undefined
        ? undefined
        : values.engine.split(',').map((each) => oneOf('--engine', each, engineNames)),
    only: values.only === undefined ? undefined : oneOf('--only', values.only, ['ours', 'peer'] as const),
    json: values.json,
  }
}

function operationsOf(
  area: Area,
  peer: Peer,
  given: string | undefined,
): Pick<BenchOptions, 'measurements' | 'engineMeasurements'> {
  const listed = <T extends string>(allowed: readonly T[]): readonly T[] =>
    given === undefined ? allowed : given.split(',').map((each) => oneOf('--operation', each, allowed))
  if (area === 'engines') return { measurements, engineMeasurements: listed(engineMeasurements) }
  return { measurements: listed(peer === 'nats' ? (['put'] as const) : measurements), engineMeasurements }
}

function oneOf<T extends string>(name: string, given: string | undefined, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === given)
  if (found !== undefined) return found
  throw new RangeError(`${name} is ${given ?? 'missing'}, but must be one of: ${allowed.join(', ')}`)
}

function wholeNumber(name: string, given: string, max: number, min = 1): number {
  const value = Number(given)
  if (given.trim() !== '' && Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw new RangeError(`${name} is ${given}, but must be a whole number from ${min} to ${max}`)
}
