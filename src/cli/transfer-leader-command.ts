import type { Command } from 'commander'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import { openNode } from './open-node.ts'
import { wholeNumber } from './arguments.ts'
import { leaderAmong } from '../node/diagnosis/member-answer.ts'
import { askMembers } from './ask-members.ts'
import { print } from './output.ts'
import { withSlowProgress } from './progress.ts'
import { commandWorld, type TargetOptions, targetUrl, withTargetOptions } from './target.ts'

/** A transfer takes about an election timeout at most; then the old leader goes on. */
const transferTimeoutMs = 10_000
const pollMs = 100

/** `althing transfer-leader ID` */
export function registerTransferLeaderCommand(program: Command): void {
  withTargetOptions(
    program
      .command('transfer-leader')
      .argument('<id>', 'the member that is to lead')
      .description('hand the leadership to another member, before its machine is restarted for example'),
  ).action(transferLeader)
}

async function transferLeader(argument: string, options: TargetOptions): Promise<void> {
  const to = wholeNumber('id', argument)
  const world = commandWorld()
  const from = await withSlowProgress(world.timers, 'Handing over', options.json !== true, async () =>
    handOver(world, await targetUrl(world, options), to),
  )
  const text = from === to ? `node ${to} leads already\n` : `node ${to} leads now, after node ${from}\n`
  await print(options.json, { from, leader: to }, text)
}

/** Returns who led before. */
async function handOver(world: World, url: string, to: number): Promise<number> {
  const answers = await askMembers(world, url)
  const target = answers.find(({ id }) => id === to)
  if (target === undefined)
    throw invalidArgument('id', to, `one of ${answers.map(({ id }) => id).join(', ')}`)
  const leader = leaderAmong(answers)
  if (leader === undefined)
    throw new AlthingError('unavailable', 'no member leads at the moment', { outcome: 'none' })
  if (leader.id === to) return to
  if (target.status === undefined)
    throw new AlthingError('unavailable', `node ${to} does not answer`, { outcome: 'none' })
  await askLeader(world, leader.address, to)
  const deadlineMs = world.clock.monotonicMs() + transferTimeoutMs
  while (leaderAmong(await askMembers(world, url))?.id !== to) {
    if (world.clock.monotonicMs() > deadlineMs)
      throw new AlthingError('timeout', `node ${to} does not lead after ${transferTimeoutMs / 1_000} s`, {
        outcome: 'unknown',
      })
    await new Promise<void>((resolve) => world.timers.after(pollMs, resolve))
  }
  return leader.id
}

async function askLeader(world: World, address: string, to: number): Promise<void> {
  const client = await openNode(world, address)
  try {
    await client.transferLeadership(to)
  } finally {
    client.close()
  }
}
