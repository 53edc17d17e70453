import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { AlthingError } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import { freePorts } from '../node/free-ports.ts'
import { commandScript, LocalCluster } from '../node/local-cluster.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { durationMs, wholeNumber } from './arguments.ts'
import { withProgress } from './progress.ts'
import { untilStopped } from './until-stopped.ts'
import { readyTimeoutMs } from './up-command.ts'

interface DemoOptions {
  readonly nodes: string
  readonly workers: string
  readonly agents: string
  readonly pause: string
  readonly data: string
  readonly duration?: string
}

const agora = (script: string): string =>
  fileURLToPath(new URL(`../../apps/agora/src/${script}.js`, import.meta.url))

/** `althing demo`: cluster, gateway, console, and Agora with a modest load, until Ctrl-C. What `npm start` runs. */
export function registerDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('run a cluster, the gateway, the console, and Agora with its agents')
    .option('--nodes <number>', 'nodes of the cluster', '3')
    .option('--workers <number>', "Agora's workers", '2')
    .option('--agents <number>', 'agents that use Agora', '1000')
    .option('--pause <duration>', "mean time between an agent's actions", '10s')
    .option('--data <folder>', 'where the nodes keep their data', './data/demo')
    .option('--duration <duration>', 'end by itself after this long')
    .action(demo)
}

async function demo(options: DemoOptions): Promise<void> {
  if (!existsSync(agora('worker')))
    throw new AlthingError('not-found', 'Agora is not in this build: run `npm run build` in a checkout')
  const stopped = untilStopped()
  const world = createNodeWorld({ dataFolder: options.data, logger: new NodeLogger('warn') })
  const cluster = await LocalCluster.start({
    world,
    nodes: wholeNumber('--nodes', options.nodes),
    dataFolder: options.data,
  })
  try {
    await Promise.race([run(world, cluster, options), stopped])
  } finally {
    await withProgress('Stopping', true, () => cluster.stop())
  }
}

/** Until the load ends, or the time is over. */
async function run(world: World, cluster: LocalCluster, options: DemoOptions): Promise<void> {
  await withProgress(`Starting ${options.nodes} nodes`, true, () => cluster.ready(readyTimeoutMs))
  const gatewayUrl = await withProgress('Starting Agora and the gateway', true, () =>
    startAgora(cluster, options),
  )
  process.stdout.write(
    [
      '',
      `Console   ${cluster.consoleUrl}`,
      `Agora     ${gatewayUrl}`,
      `Cluster   ${cluster.url}`,
      `Logs      ${options.data}/logs`,
      '',
      `${options.agents} agents are joining. Kill a node in the console's fault panel and watch them go on. Ctrl-C ends it all.`,
      '',
      '',
    ].join('\n'),
  )
  startLoad(cluster, gatewayUrl, options)
  const over =
    options.duration === undefined ? [] : [after(world, durationMs('--duration', options.duration))]
  await Promise.race([endedEarly(cluster, 'load'), ...over])
}

async function startAgora(cluster: LocalCluster, options: DemoOptions): Promise<string> {
  const { supervisor, url } = cluster
  const workers = wholeNumber('--workers', options.workers)
  const started = Array.from({ length: workers }, (_, i) => {
    const name = `worker-${i + 1}`
    return firstLine((onLine) =>
      supervisor.add({
        name,
        kind: 'worker',
        script: agora('worker'),
        args: ['--store', url, '--id', name],
        onLine,
      }),
    )
  })
  const exits = Array.from({ length: workers }, (_, i) => endedEarly(cluster, `worker-${i + 1}`))
  await Promise.race([Promise.all(started), ...exits])
  const [port] = await freePorts(1, 7480)
  const listen = `127.0.0.1:${port}`
  const listening = firstLine((onLine) =>
    supervisor.add({
      name: 'gateway',
      kind: 'gateway',
      script: commandScript,
      args: ['gateway', '--url', url, '--service', 'agora', '--listen', listen],
      onLine,
    }),
  )
  await Promise.race([listening, endedEarly(cluster, 'gateway')])
  return `http://${listen}`
}

/** Lines of the load between two reminders of the console, whose address has scrolled away by then. */
const reminderLines = 20

/** The load's own lines (one each second) are what a person at the terminal sees. */
function startLoad(cluster: LocalCluster, gatewayUrl: string, options: DemoOptions): void {
  const args = [
    '--url',
    gatewayUrl,
    '--agents',
    options.agents,
    '--seconds',
    '0',
    '--pause',
    String(durationMs('--pause', options.pause)),
  ]
  let lines = 0
  cluster.supervisor.add({
    name: 'load',
    kind: 'load',
    script: agora('load'),
    args,
    onLine: (line) => {
      process.stdout.write(`${line}\n`)
      if (/^ *\d+s /.test(line) && ++lines % reminderLines === 0)
        process.stdout.write(`Console   ${cluster.consoleUrl}\n`)
    },
  })
}

function firstLine(start: (onLine: (line: string) => void) => void): Promise<void> {
  return new Promise((resolve) => start(() => resolve()))
}

async function endedEarly(cluster: LocalCluster, name: string): Promise<never> {
  await cluster.supervisor.exited(name)
  throw new AlthingError('unavailable', `${name} has ended; see ${cluster.supervisor.logFile(name)}`)
}

function after(world: World, delayMs: number): Promise<'over'> {
  return new Promise((resolve) => world.timers.after(delayMs, () => resolve('over')))
}
