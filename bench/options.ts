import { parseArgs } from 'node:util'

export const areas = [
  'store',
  'failover',
  'election-stability',
  'watchers',
  'leases',
  'memory',
  'idle-groups',
  'scale',
] as const
export type Area = (typeof areas)[number]

export const peers = ['etcd', 'nats'] as const
export type Peer = (typeof peers)[number]

/** What the area `store` can measure. */
export const measurements = ['put', 'get', 'txn', 'watch', 'http', 'lease', 'failover'] as const
export type Measurement = (typeof measurements)[number]

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

Options
  --peer NAME        what to measure beside: ${peers.join(', ')} (default ${peers[0]}; NATS takes puts only)
  --operation NAME[,NAME]  of area store: ${measurements.join(', ')} (default all)
  --clients N[,N]    closed-loop clients of put (default 1,16,64,256; beside NATS 1,64,256); all else is measured with 64
  --seconds N        length of one measurement (default 3)
  --rounds N         measurements of each, ours and the peer's in turn (default 3; area failover: kills, default 5)
  --minutes N        length of election-stability (default 2)
  --busy-loops N     of election-stability (default one for each core; 0 where other work keeps the cores busy)
  --only SIDE        ours or peer
  --json             one JSON object on the last line: { area, ours, peer, ratio, unit, setup }; a ratio over 1 means that
                     ours is better
`

/** Throws a `RangeError` whose message names the wrong value and what is allowed. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      peer: { type: 'string', default: peers[0] },
      clients: { type: 'string' },
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string' },
      minutes: { type: 'string', default: '2' },
      'busy-loops': { type: 'string' },
      operation: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const area = oneOf('area', positionals[0], areas)
  const peer = oneOf('--peer', values.peer, peers)
  const clients = values.clients ?? (peer === 'nats' ? '1,64,256' : '1,16,64,256')
  const wanted = values.operation ?? (peer === 'nats' ? 'put' : measurements.join(','))
  return {
    area,
    peer,
    clients: clients.split(',').map((each) => wholeNumber('--clients', each, 4_096)),
    seconds: wholeNumber('--seconds', values.seconds, 3_600),
    rounds: wholeNumber('--rounds', values.rounds ?? (area === 'failover' ? '5' : '3'), 1_000),
    minutes: wholeNumber('--minutes', values.minutes, 1_440),
    busyLoops:
      values['busy-loops'] === undefined
        ? undefined
        : wholeNumber('--busy-loops', values['busy-loops'], 256, 0),
    measurements: wanted
      .split(',')
      .map((each) => oneOf('--operation', each, peer === 'nats' ? (['put'] as const) : measurements)),
    only: values.only === undefined ? undefined : oneOf('--only', values.only, ['ours', 'peer'] as const),
    json: values.json,
  }
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
