import { type Command, Option } from 'commander'
import { type NodeServerOptions, startNodeServer } from '../node/node-server.ts'
import type { NodeChecks } from '../node/node-services.ts'
import { durationMs } from './arguments.ts'
import { type SecurityArguments, securityFrom, withSecurityOptions } from './security-arguments.ts'
import { type StoreArguments, storeFrom, withStoreOptions } from './store-arguments.ts'

/** What every command that runs one node takes. */
export interface RunOptions extends SecurityArguments, StoreArguments {
  readonly data: string
  readonly http?: string
  readonly dns?: string
  readonly dnsInsecure?: boolean
  readonly checks?: NodeChecks
  readonly heartbeat: string
  readonly electionTimeout: string
  readonly drain: string
}

export function withRunOptions(command: Command): Command {
  return withStoreOptions(withSecurityOptions(command))
    .option('--data <folder>', 'folder for the log and the snapshots', './data/node')
    .option('--http <address>', 'serve the HTTP API and the console here, such as 127.0.0.1:7501')
    .option('--dns <address>', 'answer for services over DNS here (UDP and TCP), such as 127.0.0.1:8600')
    .option('--dns-insecure', 'serve DNS to other machines: whoever asks is told where services are')
    .addOption(
      new Option(
        '--checks <which>',
        'checks of instances that this node may run for the cluster; `all`: programs too, so whoever may register a service runs programs on this machine',
      )
        .choices(['off', 'network', 'all'])
        .default('network'),
    )
    .option('--drain <duration>', 'on SIGTERM: for so long at most it hands over what it leads', '10s')
    .addOption(new Option('--heartbeat <duration>', "the leader's longest silence").default('100ms'))
    .addOption(
      new Option('--election-timeout <duration>', 'silence after which a follower campaigns').default('1s'),
    )
}

/**
 * Runs a node until it ends: on SIGTERM it hands over what it leads before it closes; SIGINT, or a second signal, closes it at once. Rejects with what it
 * failed of.
 */
export async function runNodeServer(
  options: RunOptions,
  place: Pick<NodeServerOptions, 'id' | 'clusterId' | 'members' | 'listen' | 'join'>,
): Promise<void> {
  const drainMs = durationMs('--drain', options.drain)
  const server = await startNodeServer({
    ...place,
    ...securityFrom(options),
    ...storeFrom(options),
    dataFolder: options.data,
    ...(options.http === undefined ? {} : { http: options.http }),
    ...(options.dns === undefined ? {} : { dns: options.dns }),
    ...(options.dnsInsecure === undefined ? {} : { isDnsInsecure: options.dnsInsecure }),
    ...(options.checks === undefined ? {} : { checks: options.checks }),
    ...(process.env['ALTHING_CONTROL'] === undefined ? {} : { control: process.env['ALTHING_CONTROL'] }),
    raft: {
      heartbeatMs: durationMs('--heartbeat', options.heartbeat),
      electionTimeoutMs: durationMs('--election-timeout', options.electionTimeout),
    },
  })
  const { node } = server
  process.stdout.write(
    `${JSON.stringify({ event: 'listening', id: node.id, address: node.address, http: server.httpAddress, dns: server.dnsAddress })}\n`,
  )
  const stop = (): void => void server.close()
  process.once('SIGTERM', () => {
    process.once('SIGTERM', stop)
    node.drain(drainMs).then(stop, stop)
  })
  process.once('SIGINT', stop)
  const failure = await node.closed
  // A node that has failed still has its HTTP face, which would keep the process alive.
  await server.close()
  if (failure !== undefined) throw failure
}
