import type { SimulatedProcess } from '../world/simulated-process.ts'
import type { Clock } from '../../contracts/world.ts'
import type { MemberStep } from '../invariants/cluster-view.ts'
import type { CommittedLog } from '../invariants/committed-log.ts'
import type { InvariantViolation } from '../invariants/violation.ts'
import type { FaultClass } from '../world/fault-classes.ts'
import { FaultInjector } from '../world/fault-injector.ts'
import { Simulation } from '../world/simulation.ts'
import { Administrator } from './administrator.ts'
import { BackupClient } from './backup-client.ts'
import { type ClientFault, ClientFaults } from './client-faults.ts'
import { type ClientOptions, ClientProcess, type ClientProgram } from './client-process.ts'
import { drawConfiguration, type StoreConfiguration, type StoreSimulationOptions } from './configuration.ts'
import { createFiller, type FillerCounts } from './filler-client.ts'
import { runKeyClient } from './key-client.ts'
import { runLeaseClient } from './lease-client.ts'
import { runLockClient } from './lock-client.ts'
import { judgeObservations } from './judge.ts'
import type { Observations } from './observations.ts'
import { heal } from './healing.ts'
import { runOperator } from './operator-client.ts'
import { createOutsider, enableAccess, type OutsiderCounts, type Tokens } from './outsiders.ts'
import { reachedIn, sumOver } from './reached.ts'
import { type RunReport, violationFrom } from './run-report.ts'
import { StoreCluster } from './store-cluster.ts'
import { Survival } from './survival.ts'
import { runWatchClient } from './watch-client.ts'

export interface RunHooks {
  /** Real time, for the bound on judging histories. */
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Sees every step of every machine. */
  readonly stepped?: (step: MemberStep) => void
}

/** What became of one seed. */
export interface SeedReport extends RunReport {
  readonly configuration: Omit<StoreConfiguration, 'faultPlan'> & { readonly faults: readonly FaultClass[] }
}

/** One run: everything that takes part in it. */
export interface StoreRun {
  readonly simulation: Simulation
  readonly configuration: StoreConfiguration
  /** Of group 1. */
  readonly log: CommittedLog
  readonly observations: Observations
  readonly cluster: StoreCluster
  /** They become more: a new group gets clients of its own. */
  readonly clients: ClientProcess[]
  readonly watchers: ClientProcess[]
  readonly administrator: Administrator
  readonly extras: Extras
  readonly injector: FaultInjector
  readonly clientFaults: ClientFaults
  readonly clientOptions: ClientOptions
  stop(): void
}

/** What some runs have besides: see the configuration. */
export interface Extras {
  readonly backups: BackupClient
  readonly outsiders: OutsiderCounts
  readonly filler: FillerCounts
}

/** How often the harness looks at locks, and at the copies of the nodes. */
const lookEveryMs = 40

/**
 * Runs one seed: a cluster under faults with clients at work, then a phase in which all faults heal and it must serve again, agree, and have lost
 * nothing. Never rejects for what the system under test does.
 */
export async function simulateStore(options: StoreSimulationOptions, hooks: RunHooks): Promise<SeedReport> {
  const run = setUp(options, hooks)
  const { simulation, configuration } = run
  let verdict: SeedReport['verdict'] = 'ok'
  let violation: InvariantViolation | undefined
  try {
    const { tokens } = run.clientOptions
    if (tokens !== undefined) await enableAccess(simulation, run.cluster.endpoints, tokens)
    run.injector.start()
    run.clientFaults.start()
    keepLooking(run)
    await simulation.runUntil(configuration.seconds * 1000)
    await heal(run)
    const judgement = judgeObservations(run, hooks.clock)
    violation = judgement.violation
    if (judgement.isUnknown) verdict = 'unknown'
  } catch (error) {
    violation = violationFrom(error)
  }
  if (violation !== undefined) verdict = 'violation'
  return reportOf(run, verdict, violation)
}

function setUp(options: StoreSimulationOptions, hooks: RunHooks): StoreRun {
  const simulation = new Simulation({ seed: options.seed, logCapacity: 0 })
  const configuration = drawConfiguration(simulation.random('configuration'), options)
  const violated = (violation: InvariantViolation): void => simulation.fail(violation.message, violation)
  const cluster = new StoreCluster({
    simulation,
    configuration,
    violated,
    harmless: (process) => injector.rebuilt(process),
    ...(hooks.stepped === undefined ? {} : { stepped: hooks.stepped }),
  })
  const { observations, log } = cluster.own
  const survival = new Survival(cluster, () => simulation.nowMs)
  let isStopping = false
  const tokens: Tokens = {}
  const clientOptions: ClientOptions = {
    simulation,
    configuration,
    observations,
    endpoints: cluster.endpoints,
    isStopping: () => isStopping,
    ...(configuration.hasAccess ? { tokens } : {}),
  }
  const extras = createExtras(simulation, cluster)
  const clients: ClientProcess[] = []
  const watchers: ClientProcess[] = []
  const administrator = new Administrator({
    cluster,
    survival,
    groupCreated: (id, name) => {
      const options = { ...clientOptions, observations: cluster.group(id).observations, group: name }
      startGroupClients(options, name, clients, watchers)
    },
  })
  clients.push(...startClients(clientOptions, administrator, extras))
  watchers.push(...startWatchers(clientOptions))
  const processes = [...clients, ...watchers].map(({ process }) => process)
  const injector = createInjector(clientOptions, cluster, survival, processes)
  const clientFaults = createClientFaults(clientOptions, processes, options)
  return {
    simulation,
    configuration,
    log,
    observations,
    cluster,
    clients,
    watchers,
    administrator,
    extras,
    injector,
    clientFaults,
    clientOptions,
    stop: () => {
      isStopping = true
    },
  }
}

function createExtras(simulation: Simulation, cluster: StoreCluster): Extras {
  return {
    backups: new BackupClient(simulation, cluster),
    outsiders: { refusedStrangers: 0, refusedReaders: 0 },
    filler: { quotaHit: 0, quotaFreed: 0 },
  }
}

function createInjector(
  { simulation, configuration }: ClientOptions,
  cluster: StoreCluster,
  survival: Survival,
  clients: readonly SimulatedProcess[],
): FaultInjector {
  const clientHosts = configuration.partsClients ? clients.map(({ host }) => host) : []
  return new FaultInjector(simulation, {
    processes: cluster.processes,
    hosts: () => [...cluster.hosts, ...clientHosts],
    plan: configuration.faultPlan,
    rule: survival,
    onDamage: (process, damage) => cluster.damaged(process, damage),
  })
}

function startGroupClients(
  options: ClientOptions,
  name: string,
  clients: ClientProcess[],
  watchers: ClientProcess[],
): void {
  clients.push(new ClientProcess(options, `${name}-keys`, runKeyClient))
  watchers.push(new ClientProcess(options, `${name}-watches`, runWatchClient))
}

function startWatchers(options: ClientOptions): ClientProcess[] {
  return Array.from(
    { length: options.configuration.watchClients },
    (_, i) => new ClientProcess(options, `watches${i + 1}`, runWatchClient),
  )
}

function createClientFaults(
  { simulation, configuration, observations }: ClientOptions,
  processes: readonly SimulatedProcess[],
  { faults }: StoreSimulationOptions,
): ClientFaults {
  return new ClientFaults({
    simulation,
    processes,
    kinds: clientFaultsOf(faults),
    intervalMsMean: configuration.clientFaultMsMean,
    crashed: (process) => observations.died(simulation.nowMs, process.name),
  })
}

function startClients(
  options: ClientOptions,
  administrator: Administrator,
  { backups, outsiders, filler }: Extras,
): ClientProcess[] {
  const { configuration, tokens } = options
  const start = (kind: string, count: number, program: ClientProgram): ClientProcess[] =>
    Array.from({ length: count }, (_, i) => new ClientProcess(options, `${kind}${i + 1}`, program))
  return [
    ...start('keys', configuration.keyClients, runKeyClient),
    ...start('leases', configuration.leaseClients, runLeaseClient),
    ...start('locks', configuration.lockClients, runLockClient),
    ...start('operator', configuration.transferMsMean > 0 ? 1 : 0, runOperator),
    ...start('members', configuration.membersMsMean > 0 ? 1 : 0, administrator.changeMembers),
    ...start('groups', configuration.groupsMsMean > 0 ? 1 : 0, administrator.changeGroups),
    ...start('backups', configuration.backupMsMean > 0 ? 1 : 0, backups.run),
    ...(tokens === undefined ? [] : start('outsiders', 1, createOutsider(tokens, outsiders))),
    ...start('filler', configuration.hasQuota ? 1 : 0, createFiller(filler)),
  ]
}

function clientFaultsOf(faults: readonly FaultClass[]): ClientFault[] {
  const kinds = ['crash', 'pause', 'block-loop', 'clock-drift'] as const satisfies readonly ClientFault[]
  return kinds.filter((kind) => faults.includes(kind))
}

/** Looks at what no client can see, without changing anything. */
function keepLooking({ simulation, observations, cluster }: StoreRun): void {
  const look = (): void => {
    observations.locks.look(simulation.nowMs)
    cluster.lookAtWiped()
    for (const node of cluster.nodes) {
      if (cluster.isOut(node.id)) continue
      const life = cluster.own.view.members.get(node.id)?.life ?? 0
      const { revision } = node.host.model
      observations.looks.push({ node: node.id, life, timeMs: simulation.nowMs, revision })
    }
    simulation.after(lookEveryMs, look)
  }
  simulation.after(lookEveryMs, look)
}

function reportOf(
  run: StoreRun,
  verdict: SeedReport['verdict'],
  violation: InvariantViolation | undefined,
): SeedReport {
  const { simulation, cluster, injector, clientFaults } = run
  const { faultPlan, ...configuration } = run.configuration
  const faults: Record<string, number> = {}
  for (const [name, count] of injector.counts) if (count > 0) faults[name] = count
  for (const [name, count] of clientFaults.counts) faults[`client-${name}`] = count
  const shown = violation && {
    invariant: violation.invariant,
    message: `${violation.message} (at ${simulation.nowMs} ms)`,
    explanation: violation.explanation,
  }
  return {
    seed: configuration.seed,
    verdict,
    ...(shown === undefined ? {} : { violation: shown }),
    logHash: simulation.logHash,
    configuration: { ...configuration, faults: [...faultPlan.keys()] },
    virtualMs: simulation.nowMs,
    events: simulation.log.count,
    steps: sumOver(cluster, ({ view }) => view.steps),
    entries: sumOver(cluster, (group) => group.log.index),
    calls: sumOver(cluster, ({ observations: { keys, txns } }) => keys.calls + txns.calls),
    faults,
    reached: reachedIn(run),
  }
}
