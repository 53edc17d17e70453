import type { Command } from 'commander'
import { wholeNumber } from './arguments.ts'
import { formatTable } from './format-table.ts'
import { operateCommand } from './operate.ts'
import { type TargetOptions, withTargetOptions } from './target.ts'

/** `althing group …`: stores of their own beside the cluster's, each with its own log and leader. */
export function registerGroupCommand(program: Command): void {
  const group = program.command('group').description('see, create and remove groups: stores of their own')
  withTargetOptions(group.command('list').description('the groups, and where their copies are')).action(list)
  withTargetOptions(
    group
      .command('create')
      .argument('<name>', 'a-z, 0-9, dots, dashes')
      .description('create a group; clients open it as althing://HOST:PORT/NAME')
      .option('--replicas <number>', 'how many members have a copy', '3'),
  ).action(create)
  withTargetOptions(
    group
      .command('remove')
      .argument('<name>', 'the group')
      .description('remove a group and all that is in it'),
  ).action(remove)
}

interface ListedGroup {
  readonly id: number
  readonly name: string
  readonly replicas: number
  readonly members: readonly number[]
  readonly isSettled: boolean
}

async function list(options: TargetOptions): Promise<void> {
  await operateCommand<readonly ListedGroup[]>(
    options,
    { name: 'group.list', argument: null, progress: 'Asking the leader' },
    (groups) =>
      formatTable([
        ['ID', 'NAME', 'COPIES ON', 'NOTE'],
        ...groups.map(({ id, name, members, isSettled }) => [
          id,
          name,
          members.join(', '),
          isSettled ? '' : 'copies are moving',
        ]),
      ]),
  )
}

interface CreatedGroup {
  readonly name: string
  readonly url: string
  /** As many copies as were asked for. */
  readonly replicas: number
  readonly members: readonly number[]
  readonly isServing: boolean
}

export function formatCreated({ name, url, replicas, members, isServing }: CreatedGroup): string {
  const line = `group ${name} ${isServing ? 'serves' : 'is being set up'} on nodes ${String(members)}: ${url}/${name}\n`
  if (members.length >= replicas) return line
  return `${line}It has ${members.length} of ${replicas} copies: the others are made when members join.\n`
}

async function create(name: string, options: TargetOptions & { readonly replicas: string }): Promise<void> {
  await operateCommand(
    options,
    {
      name: 'group.create',
      argument: { name, replicas: wholeNumber('--replicas', options.replicas) },
      progress: 'Creating the group',
    },
    ({ members, isServing }, url) =>
      formatCreated({
        name,
        url,
        replicas: Number(options.replicas),
        members: members as readonly number[],
        isServing: isServing === true,
      }),
  )
}

async function remove(name: string, options: TargetOptions): Promise<void> {
  await operateCommand(
    options,
    { name: 'group.remove', argument: { name }, progress: 'Removing the group' },
    () => `group ${name} is removed\n`,
  )
}
