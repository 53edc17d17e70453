import type { Command } from 'commander'
import { decodeJoinToken } from '../engines/cluster/membership/join-token.ts'
import { invalidArgument } from '../contracts/errors.ts'
import { type RunOptions, runNodeServer, withRunOptions } from './run-node.ts'

interface JoinOptions extends RunOptions {
  readonly listen: string
  readonly advertise?: string
}

/** `althing join TOKEN`: a new member of a cluster that runs, until SIGTERM or SIGINT. */
export function registerJoinCommand(program: Command): void {
  withRunOptions(
    program
      .command('join')
      .argument('<token>', 'from althing member add, or althing member replace')
      .description(
        'run a new node as a member of an existing cluster; the same command starts it again later',
      )
      .requiredOption('--listen <address>', 'where it listens, and where the others reach it')
      .option('--advertise <address>', 'where the others reach it, if that is another address'),
  ).action(join)
}

async function join(text: string, options: JoinOptions): Promise<void> {
  const { clusterId, id, members, secret } = decodeJoinToken(text)
  if (members.some((member) => member.id === id))
    throw invalidArgument('token', 'given', 'one for a new member: this one names itself among the members')
  const self = { id, address: options.advertise ?? options.listen }
  await runNodeServer(options, {
    id,
    clusterId,
    members: [...members, self],
    listen: options.listen,
    join: { secret },
  })
}
