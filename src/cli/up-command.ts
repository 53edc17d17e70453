import type { Command } from 'commander'
import { LocalCluster } from '../node/local-cluster.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { wholeNumber } from './arguments.ts'
import { withProgress } from './progress.ts'
import { untilStopped } from './until-stopped.ts'

interface UpOptions {
  readonly nodes: string
  readonly data: string
  readonly json?: boolean
}

/** Time in which every node of a local cluster must be ready. */
export const readyTimeoutMs = 30_000

/** Where the other commands look for a cluster by themselves. */
const defaultData = './data/up'

/** `althing up`: a cluster of node processes on this machine, until Ctrl-C. */
export function registerUpCommand(program: Command): void {
  program
    .command('up')
    .description('run a cluster of several node processes on this machine')
    .option('--nodes <number>', 'how many', '3')
    .option('--data <folder>', 'where the nodes keep their data; kept between runs', defaultData)
    .option('--json', 'print one JSON object when ready')
    .action(up)
}

async function up(options: UpOptions): Promise<void> {
  const stopped = untilStopped()
  const world = createNodeWorld({ dataFolder: options.data, logger: new NodeLogger('warn') })
  const cluster = await LocalCluster.start({
    world,
    nodes: wholeNumber('--nodes', options.nodes),
    dataFolder: options.data,
  })
  try {
    await Promise.race([startUp(cluster, options), stopped])
    await stopped
  } finally {
    await withProgress('Stopping', options.json !== true, () => cluster.stop())
  }
}

async function startUp(cluster: LocalCluster, options: UpOptions): Promise<void> {
  await withProgress(`Starting ${options.nodes} nodes`, options.json !== true, () =>
    cluster.ready(readyTimeoutMs),
  )
  const { url, consoleUrl, places } = cluster
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ url, console: consoleUrl, nodes: places })}\n`)
    return
  }
  const target = options.data === defaultData ? '' : ` --url ${url}`
  process.stdout.write(
    [
      `Cluster   ${url}`,
      `Console   ${consoleUrl}`,
      `Logs      ${options.data}/logs`,
      `Try       npx althing put hello world${target}`,
      `Ctrl-C ends it; the data stays in ${options.data}.`,
      '',
    ].join('\n'),
  )
}
