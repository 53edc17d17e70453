import { type Command, Option } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import { startNodeServer } from '../node/node-server.ts'
import type { Member } from '../replication/peer-transport.ts'
import { durationMs, wholeNumber } from './arguments.ts'

interface NodeCommandOptions {
  readonly id: string
  readonly members: string
  readonly cluster: string
  readonly data: string
  readonly http?: string
  readonly heartbeat: string
  readonly electionTimeout: string
}

/** `althing node`: one member of a cluster, until SIGTERM or SIGINT. */
export function registerNodeCommand(program: Command): void {
  program
    .command('node')
    .description('run one node of a cluster')
    .requiredOption('--id <number>', "this node's number, one of --members")
    .requiredOption('--members <list>', 'all members: 1=127.0.0.1:7401,2=127.0.0.1:7402,3=127.0.0.1:7403')
    .option('--cluster <name>', "the cluster's name, the same on every member", 'althing')
    .option('--data <folder>', 'folder for the log and the snapshots', './data/node')
    .option('--http <address>', 'serve the HTTP API and the console here, such as 127.0.0.1:7501')
    .addOption(new Option('--heartbeat <duration>', "the leader's longest silence").default('100ms'))
    .addOption(
      new Option('--election-timeout <duration>', 'silence after which a follower campaigns').default('1s'),
    )
    .action(runNode)
}

async function runNode(options: NodeCommandOptions): Promise<void> {
  const server = await startNodeServer({
    id: wholeNumber('--id', options.id),
    members: parseMembers(options.members),
    clusterId: options.cluster,
    dataFolder: options.data,
    ...(options.http === undefined ? {} : { http: options.http }),
    ...(process.env['ALTHING_CONTROL'] === undefined ? {} : { control: process.env['ALTHING_CONTROL'] }),
    raft: {
      heartbeatMs: durationMs('--heartbeat', options.heartbeat),
      electionTimeoutMs: durationMs('--election-timeout', options.electionTimeout),
    },
  })
  const { node } = server
  process.stdout.write(
    `${JSON.stringify({ event: 'listening', id: node.id, address: node.address, http: server.httpAddress })}\n`,
  )
  const stop = (): void => void server.close()
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  const failure = await node.closed
  // A node that has failed still has its HTTP face, which would keep the process alive.
  await server.close()
  if (failure !== undefined) throw failure
}

/** `1=host:port,2=host:port` */
export function parseMembers(text: string): Member[] {
  return text.split(',').map((part) => {
    const [id, address] = part.split('=')
    if (address === undefined) throw invalidArgument('--members', part, 'of the form ID=HOST:PORT')
    return { id: wholeNumber('--members', id ?? ''), address }
  })
}
