import type { Command } from 'commander'
import type { MemberSight } from '../engines/cluster/node-status.ts'
import type { Plain } from '../engines/cluster/operator-calls.ts'
import { shownSight } from '../node/diagnosis/member-sight.ts'
import { tlsOf } from '../node/client-security.ts'
import { durationMs, wholeNumber } from './arguments.ts'
import { formatTable } from './format-table.ts'
import { type Answer, operateCommand } from './operate.ts'
import { securityFlags } from './security-flags.ts'
import { type TargetOptions, withTargetOptions } from './target.ts'

interface AddOptions extends TargetOptions {
  readonly address?: string
  readonly id?: string
  readonly learner?: boolean
  readonly validFor?: string
}

interface ForceOptions extends TargetOptions {
  readonly address?: string
  readonly validFor?: string
  readonly force?: boolean
}

/** `althing member …`: who belongs to the cluster. */
export function registerMemberCommand(program: Command): void {
  const member = program.command('member').description('see and change who belongs to the cluster')
  withTargetOptions(member.command('list').description('the members, and how far each one is')).action(list)
  withTargetOptions(
    member
      .command('add')
      .description('invite a new member: prints the command to run on its machine')
      .option('--address <address>', 'where it will listen; it can also say so itself when it joins')
      .option('--id <number>', 'its number (default: the next one that was never used)')
      .option('--learner', 'it stays without a vote until: althing member promote')
      .option('--valid-for <duration>', 'how long the invitation holds (default: 24h)'),
  ).action(add)
  withTargetOptions(
    member
      .command('replace')
      .argument('<id>', 'the dead member')
      .description('replace a dead member: prints the command to run on the new machine')
      .option('--address <address>', 'where the new one will listen')
      .option('--valid-for <duration>', 'how long the invitation holds (default: 24h)')
      .option('--force', 'even if it answers, or the cluster is at risk'),
  ).action(replace)
  withTargetOptions(
    member
      .command('remove')
      .argument('<id>', 'the member')
      .description('remove a member: it stops, and may not come back under its number')
      .option('--force', 'even if the cluster is then at risk'),
  ).action(remove)
  withTargetOptions(
    member.command('promote').argument('<id>', 'the learner').description('give a learner a vote'),
  ).action(promote)
  withTargetOptions(
    member
      .command('update-address')
      .argument('<id>', 'the member')
      .argument('<address>', 'where it listens from now on')
      .description('tell the cluster that a member has moved; then start it there'),
  ).action(updateAddress)
}

interface ListedMember {
  readonly id: number
  readonly address?: string
  readonly role: string
  readonly state: string
  readonly isAnswering: boolean
  readonly behind?: number
  readonly replacedBy?: number
  /** How the leader sees it; absent from one of the version before. */
  readonly seen?: MemberSight
}

async function list(options: TargetOptions): Promise<void> {
  await operateCommand<{ readonly leader: number; readonly members: readonly ListedMember[] }>(
    options,
    { name: 'member.list', argument: null, progress: 'Asking the leader' },
    ({ leader, members }) =>
      formatTable([
        ['ID', 'ADDRESS', 'ROLE', 'STATE', 'BEHIND', 'SEEN', 'NOTE'],
        ...members.map((each) => [
          each.id,
          each.address ?? '-',
          each.id === leader ? 'leader' : each.role,
          each.state,
          each.behind ?? '-',
          each.seen === undefined ? '-' : shownSight(each.seen),
          noteOn(each),
        ]),
      ]),
  )
}

function noteOn({ state, role, isAnswering, replacedBy }: ListedMember): string {
  if (state === 'invited') return 'has not joined yet'
  if (replacedBy !== undefined && state === 'leaving') return `node ${replacedBy} takes its place`
  return role !== 'none' && !isAnswering ? 'does not answer' : ''
}

async function add(options: AddOptions): Promise<void> {
  const argument: Plain = {
    ...invitation(options),
    ...(options.id === undefined ? {} : { id: wholeNumber('--id', options.id) }),
    ...(options.learner === true ? { learner: true } : {}),
  }
  await operateCommand(
    options,
    { name: 'member.add', argument, progress: 'Inviting' },
    (answer) =>
      `Node ${String(answer['id'])} is invited. On its machine, in an empty folder, run:\n\n${joinLine(answer, options)}\n`,
  )
}

async function replace(id: string, options: ForceOptions): Promise<void> {
  const dead = wholeNumber('id', id)
  const argument: Plain = { ...invitation(options), dead, ...(options.force === true ? { force: true } : {}) }
  await operateCommand(
    options,
    { name: 'member.replace', argument, progress: 'Inviting' },
    (answer) =>
      `Node ${String(answer['id'])} will take the place of node ${dead} as soon as it has caught up. On its machine, in an empty folder, run:\n\n` +
      `${joinLine(answer, options)}\n`,
  )
}

async function remove(argument: string, options: ForceOptions): Promise<void> {
  const id = wholeNumber('id', argument)
  await operateCommand(
    options,
    {
      name: 'member.remove',
      argument: { id, ...(options.force === true ? { force: true } : {}) },
      progress: 'Removing',
    },
    ({ isRemoved }) =>
      isRemoved === true
        ? `node ${id} is removed\n`
        : `node ${id} is leaving; this goes on by itself: see althing member list\n`,
  )
}

async function promote(argument: string, options: TargetOptions): Promise<void> {
  const id = wholeNumber('id', argument)
  await operateCommand(
    options,
    { name: 'member.promote', argument: { id }, progress: 'Promoting' },
    ({ isVoter }) =>
      isVoter === true ? `node ${id} votes\n` : `node ${id} is still catching up, and votes when it has\n`,
  )
}

async function updateAddress(argument: string, address: string, options: TargetOptions): Promise<void> {
  const id = wholeNumber('id', argument)
  await operateCommand(
    options,
    { name: 'member.updateAddress', argument: { id, address }, progress: 'Telling the cluster' },
    () => `the cluster looks for node ${id} at ${address} now: start it there\n`,
  )
}

function invitation({ address, validFor }: Pick<AddOptions, 'address' | 'validFor'>): Record<string, Plain> {
  return {
    ...(address === undefined ? {} : { address }),
    ...(validFor === undefined ? {} : { validForMs: durationMs('--valid-for', validFor) }),
  }
}

/** The whole command: it is meant to be copied. */
function joinLine(answer: Answer, { address }: Pick<AddOptions, 'address'>): string {
  const security = securityFlags(tlsOf({}))
  return `  npx althing join ${String(answer['token'])} --listen ${address ?? 'HOST:PORT'} --data ./data/node-${String(answer['id'])}${security}`
}
