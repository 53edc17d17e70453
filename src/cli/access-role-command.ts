import type { Command } from 'commander'
import { prefixEnd, textFromByteString } from '../base/bytes.ts'
import { AlthingError } from '../contracts/errors.ts'
import type { KeyRange } from '../contracts/store.ts'
import type { Plain } from '../engines/cluster/operator-calls.ts'
import { keyRange, prefixKeyRange } from '../node/key-range.ts'
import { formatTable } from './format-table.ts'
import { operateCommand } from './operate.ts'
import { type TargetOptions, withTargetOptions } from './target.ts'

interface RangeOptions extends TargetOptions {
  readonly prefix?: string
  readonly key?: string
  readonly all?: boolean
  readonly group?: string
}

/** `althing access role …` */
export function registerAccessRoleCommand(access: Command): void {
  const role = access.command('role').description('see and change roles: rights on keys, to give to users')
  withTargetOptions(role.command('list').description('roles and what they grant')).action(list)
  withTargetOptions(
    role.command('add').argument('<name>', 'the role').description('add a role that grants nothing yet'),
  ).action(add)
  withTargetOptions(
    role
      .command('remove')
      .argument('<name>', 'the role')
      .description('remove a role: its users lose what it grants'),
  ).action(remove)
  withRangeOptions(
    role
      .command('grant')
      .argument('<name>', 'the role')
      .argument('<rights>', 'of read, write, lease, admin, with commas between')
      .description('grant rights on keys, in place of what the role has on exactly these keys'),
  ).action(grant)
  withRangeOptions(
    role
      .command('revoke')
      .argument('<name>', 'the role')
      .description('take away what the role grants on exactly these keys'),
  ).action(revoke)
}

function withRangeOptions(command: Command): Command {
  return withTargetOptions(command)
    .option('--prefix <text>', 'every key that begins so')
    .option('--key <text>', 'this key alone')
    .option('--all', 'every key')
    .option('--group <name>', "keys of this group ('*': of every group; default: the cluster's own store)")
}

interface ListedRole {
  readonly name: string
  readonly grants: readonly (KeyRange & { readonly rights: readonly string[]; readonly group?: string })[]
}

async function list(options: TargetOptions): Promise<void> {
  await operateCommand<readonly ListedRole[]>(
    options,
    { name: 'access.role.list', argument: null, progress: 'Asking the leader' },
    (roles) =>
      formatTable([
        ['ROLE', 'RIGHTS', 'KEYS', 'GROUP'],
        ['root', 'everything', 'all', '*'],
        ...roles.flatMap(({ name, grants }) =>
          grants.length === 0
            ? [[name, 'nothing', '', '']]
            : grants.map((each) => [name, each.rights.join(', '), shown(each), each.group ?? '(own)']),
        ),
      ]),
  )
}

async function add(name: string, options: TargetOptions): Promise<void> {
  await operateCommand(
    options,
    { name: 'access.role.add', argument: { name }, progress: 'Adding the role' },
    () => `role ${name} is added; it grants nothing yet: althing access role grant ${name} read --prefix …\n`,
  )
}

async function remove(name: string, options: TargetOptions): Promise<void> {
  await operateCommand(
    options,
    { name: 'access.role.remove', argument: { name }, progress: 'Removing the role' },
    () => `role ${name} is removed\n`,
  )
}

async function grant(name: string, rights: string, options: RangeOptions): Promise<void> {
  const range = rangeOf(options)
  const given = { ...range, rights: rights.split(',').map((right) => right.trim()) }
  await operateCommand(
    options,
    { name: 'access.role.grant', argument: { name, grant: given }, progress: 'Granting' },
    () => `role ${name} grants ${given.rights.join(', ')} on ${shown(range)}\n`,
  )
}

async function revoke(name: string, options: RangeOptions): Promise<void> {
  const range = rangeOf(options)
  await operateCommand(
    options,
    { name: 'access.role.revoke', argument: { name, grant: range }, progress: 'Revoking' },
    () => `role ${name} grants nothing on ${shown(range)} any more\n`,
  )
}

/** Throws `invalid-argument` unless exactly one of the three ways to name keys is used. */
function rangeOf({ prefix, key, all, group }: RangeOptions): KeyRange & { readonly [name: string]: Plain } {
  const ways = [prefix, key, all].filter((each) => each !== undefined)
  if (ways.length !== 1)
    throw new AlthingError(
      'invalid-argument',
      `${ways.length === 0 ? 'no keys are named' : 'the keys are named twice'}: give one of --prefix TEXT, --key TEXT and --all, and only one`,
    )
  const range = key === undefined ? prefixKeyRange(prefix ?? '') : keyRange(key)
  return { ...range, ...(group === undefined ? {} : { group }) } as KeyRange & { [name: string]: Plain }
}

function shown({ key, end }: KeyRange): string {
  const first = JSON.stringify(textFromByteString(key))
  if (end === undefined) return first
  if (key === '' && end === null) return 'all'
  return end === (prefixEnd(key) ?? null) ? `${first}…` : `${first} to the end`
}
