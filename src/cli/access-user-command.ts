import type { Command } from 'commander'
import { formatTable } from './format-table.ts'
import { operateCommand } from './operate.ts'
import { newPassword } from './secret-input.ts'
import { type TargetOptions, withTargetOptions } from './target.ts'

interface AddOptions extends TargetOptions {
  readonly roles?: string
  readonly password?: boolean
  readonly passwordFile?: string
  readonly certificate?: boolean
}

/** `althing access user …` */
export function registerAccessUserCommand(access: Command): void {
  const user = access.command('user').description('see and change users')
  withTargetOptions(user.command('list').description('users and their roles')).action(list)
  withTargetOptions(
    user
      .command('add')
      .argument('<name>', 'letters, digits, dots, dashes, underscores, @')
      .description('add a user; without a password it signs in with tokens')
      .option('--roles <names>', 'what it may do: names with commas between; root may do everything')
      .option('--password', 'ask for a password')
      .option('--password-file <file>', 'the password is in this file (-: standard input)')
      .option('--certificate', 'a certificate with this common name signs in as this user'),
  ).action(add)
  withTargetOptions(
    user.command('remove').argument('<name>', 'the user').description('remove a user and its tokens'),
  ).action(remove)
  withTargetOptions(
    user
      .command('password')
      .argument('<name>', 'the user')
      .description('set a new password: whoever signed in with the old one is signed out')
      .option('--password-file <file>', 'it is in this file (-: standard input); else it is asked for'),
  ).action(setPassword)
  withTargetOptions(
    user
      .command('roles')
      .argument('<name>', 'the user')
      .argument('[roles]', 'all that it has from now on, with commas between; absent: none')
      .description('set what a user may do'),
  ).action(setRoles)
}

interface ListedUser {
  readonly name: string
  readonly roles: readonly string[]
  readonly hasPassword: boolean
  readonly allowsCertificate: boolean
}

async function list(options: TargetOptions): Promise<void> {
  await operateCommand<readonly ListedUser[]>(
    options,
    { name: 'access.user.list', argument: null, progress: 'Asking the leader' },
    (users) =>
      formatTable([
        ['USER', 'ROLES', 'PASSWORD', 'CERTIFICATE'],
        ...users.map(({ name, roles, hasPassword, allowsCertificate }) => [
          name,
          roles.join(', ') || '-',
          hasPassword ? 'yes' : 'no',
          allowsCertificate ? 'yes' : 'no',
        ]),
      ]),
  )
}

async function add(name: string, options: AddOptions): Promise<void> {
  const { passwordFile, roles = '', certificate = false } = options
  const hasPassword = options.password === true || passwordFile !== undefined
  const argument = {
    name,
    roles: namesIn(roles),
    ...(hasPassword ? { password: await newPassword(passwordFile) } : {}),
    ...(certificate ? { allowsCertificate: true } : {}),
  }
  await operateCommand(options, { name: 'access.user.add', argument, progress: 'Adding the user' }, () =>
    hasPassword || certificate
      ? `user ${name} is added\n`
      : `user ${name} is added; it signs in with a token: althing access token create ${name}\n`,
  )
}

async function remove(name: string, options: TargetOptions): Promise<void> {
  await operateCommand<{ readonly tokens: number }>(
    options,
    { name: 'access.user.remove', argument: { name }, progress: 'Removing the user' },
    ({ tokens }) => `user ${name} is removed, and ${tokens} tokens with it\n`,
  )
}

async function setPassword(
  name: string,
  options: TargetOptions & { readonly passwordFile?: string },
): Promise<void> {
  const argument = { name, password: await newPassword(options.passwordFile) }
  await operateCommand(
    options,
    { name: 'access.user.password', argument, progress: 'Setting the password' },
    () => `user ${name} has a new password; whoever signed in with the old one is signed out\n`,
  )
}

async function setRoles(name: string, roles: string | undefined, options: TargetOptions): Promise<void> {
  await operateCommand<{ readonly roles: readonly string[] }>(
    options,
    { name: 'access.user.roles', argument: { name, roles: namesIn(roles ?? '') }, progress: 'Setting roles' },
    (answer) => `user ${name} has ${answer.roles.length === 0 ? 'no roles' : answer.roles.join(', ')}\n`,
  )
}

function namesIn(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}
