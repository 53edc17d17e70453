import { inspect } from 'node:util'
import { benchChord } from './areas/chord.ts'
import { benchConfigPush } from './areas/config-push.ts'
import { benchDiscovery } from './areas/discovery.ts'
import { benchElectionStability } from './areas/election-stability.ts'
import { benchElections } from './areas/elections.ts'
import { benchEngines } from './areas/engines.ts'
import { benchFailover } from './areas/failover.ts'
import { benchIds } from './areas/ids.ts'
import { benchRing } from './areas/ring.ts'
import { benchIdleGroups } from './areas/idle-groups.ts'
import { benchLock } from './areas/lock.ts'
import { benchLeases } from './areas/leases.ts'
import { benchMembership } from './areas/membership.ts'
import { benchMemory } from './areas/memory.ts'
import { benchScale } from './areas/scale.ts'
import { benchStore } from './areas/store.ts'
import { benchWatchers } from './areas/watchers.ts'
import { type BenchOptions, parseOptions, usage } from './options.ts'
import { ourCluster } from './our-cluster.ts'
import type { AreaResult } from './report.ts'
import { etcd } from './peers/etcd-cluster.ts'
import { nats } from './peers/nats-cluster.ts'

const peerAreas = {
  store: benchStore,
  failover: benchFailover,
  'election-stability': benchElectionStability,
  watchers: benchWatchers,
  leases: benchLeases,
  memory: benchMemory,
  'idle-groups': benchIdleGroups,
  scale: benchScale,
  'config-push': benchConfigPush,
} as const
const peers = { etcd, nats } as const

function run(options: BenchOptions, print: (text: string) => void): Promise<AreaResult> {
  const { area, peer } = options
  if (area === 'engines') return benchEngines(options, print)
  if (area === 'discovery') return benchDiscovery(ourCluster, etcd, options, print)
  if (area === 'lock') return benchLock(ourCluster, etcd, options, print)
  if (area === 'chord') return benchChord(print)
  if (area === 'membership') return Promise.resolve(benchMembership(print))
  if (area === 'elections') return benchElections(print)
  if (area === 'ids') return benchIds(options, print)
  if (area === 'ring') return benchRing(options, print)
  return peerAreas[area](ourCluster, peers[peer], options, print)
}

function read(args: readonly string[]): BenchOptions {
  try {
    return parseOptions(args)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    return process.exit(2)
  }
}

const args = process.argv.slice(2)
if (args.length === 0 || args.includes('--help')) {
  process.stdout.write(usage)
  process.exit(args.length === 0 ? 2 : 0)
}
const options = read(args)
const print = (text: string) => process.stdout.write(`${text}\n`)
try {
  const result = await run(options, print)
  for (const side of ['ours', 'peer'] as const) print(`${side}: ${String(result.setup[side])}`)
  if (result.ratio !== null) print(`ratio ${result.ratio} (over 1: ours is better)`)
  if (options.json) print(JSON.stringify(result))
} catch (error) {
  process.stderr.write(`${inspect(error)}\n`)
  process.exitCode = 1
}
