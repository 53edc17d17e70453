import type { Command } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import type { Member } from '../replication/peer-transport.ts'
import { wholeNumber } from './arguments.ts'
import { type RunOptions, runNodeServer, withRunOptions } from './run-node.ts'

interface NodeCommandOptions extends RunOptions {
  readonly id: string
  readonly members?: string
  readonly cluster: string
  readonly listen?: string
}

/** `althing node`: one member of a cluster, until SIGTERM or SIGINT. */
export function registerNodeCommand(program: Command): void {
  withRunOptions(
    program
      .command('node')
      .description('run one node of a cluster')
      .requiredOption('--id <number>', "this node's number")
      .option(
        '--members <list>',
        'the founding members: 1=127.0.0.1:7401,2=127.0.0.1:7402,3=127.0.0.1:7403; once the folder has data, the members are those of the log',
      )
      .option('--listen <address>', 'where it listens (default: its address among the members)')
      .option('--cluster <name>', "the cluster's name, the same on every member", 'althing'),
  ).action(runNode)
}

async function runNode(options: NodeCommandOptions): Promise<void> {
  await runNodeServer(options, {
    id: wholeNumber('--id', options.id),
    clusterId: options.cluster,
    members: options.members === undefined ? [] : parseMembers(options.members),
    ...(options.listen === undefined ? {} : { listen: options.listen }),
  })
}

/** `1=host:port,2=host:port` */
export function parseMembers(text: string): Member[] {
  return text.split(',').map((part) => {
    const [id, address] = part.split('=')
    if (address === undefined) throw invalidArgument('--members', part, 'of the form ID=HOST:PORT')
    return { id: wholeNumber('--members', id ?? ''), address }
  })
}
