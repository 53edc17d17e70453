import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { AlthingError } from '../contracts/errors.ts'
import { clientSecretOf } from '../world/cluster-secret.ts'
import { registerAccessRoleCommand } from './access-role-command.ts'
import { registerAccessTokenCommand } from './access-token-command.ts'
import { registerAccessUserCommand } from './access-user-command.ts'
import { registerAccessAuditCommand } from './access-audit-command.ts'
import { operateCommand } from './operate.ts'
import { print } from './output.ts'
import { secretIn } from './secret-input.ts'
import { type TargetOptions, withTargetOptions } from './target.ts'

const example = `
A first set-up:

  althing access enable                               prints a token: keep it, it is shown once
  export ALTHING_TOKEN=alt_...
  althing access role add orders
  althing access role grant orders read,write,lease --prefix orders/
  althing access user add shop --roles orders
  althing access token create shop --label "shop, production"

Every command shows who calls by $ALTHING_TOKEN, or $ALTHING_USER and $ALTHING_PASSWORD.`

/** `althing access …`: who may do what, and the secrets that connections are secured by. */
export function registerAccessCommand(program: Command): void {
  const access = program
    .command('access')
    .description('users, roles, tokens, secrets and the audit log: who may do what')
    .addHelpText('after', example)
  withTargetOptions(access.command('status').description('whether access control is on')).action(status)
  withTargetOptions(
    access.command('enable').description('switch access control on; prints a token of the user root'),
  ).action(enable)
  withTargetOptions(
    access.command('disable').description('switch it off: whoever reaches a node may do everything'),
  ).action(disable)
  registerAccessUserCommand(access)
  registerAccessRoleCommand(access)
  registerAccessTokenCommand(access)
  registerAccessAuditCommand(access)
  access
    .command('secret')
    .argument('<file>', 'where to write it; must not exist')
    .description('make a new cluster secret, for --secret-file of every node')
    .action(newSecret)
  access
    .command('client-secret')
    .argument('<file>', 'the cluster secret')
    .description('print what clients get in place of the cluster secret: they can call nodes, and not be one')
    .option('--json', 'print JSON')
    .action(clientSecret)
}

interface Status {
  readonly isEnabled: boolean
  readonly users: number
  readonly roles: number
  readonly tokens: number
}

async function status(options: TargetOptions): Promise<void> {
  await operateCommand<Status>(
    options,
    { name: 'access.status', argument: null, progress: 'Asking the leader' },
    ({ isEnabled, users, roles, tokens }) =>
      `access control is ${isEnabled ? 'on' : 'off'}: ${users} users, ${roles} roles, ${tokens} tokens\n`,
  )
}

async function enable(options: TargetOptions): Promise<void> {
  await operateCommand<{ readonly user: string; readonly token: string }>(
    options,
    { name: 'access.enable', argument: null, progress: 'Switching access control on' },
    ({ user, token }) =>
      `Access control is on. This token of the user ${user} may do everything; it is not shown again:\n\n` +
      `  export ALTHING_TOKEN=${token}\n`,
  )
}

async function disable(options: TargetOptions): Promise<void> {
  await operateCommand(
    options,
    { name: 'access.disable', argument: null, progress: 'Switching access control off' },
    () =>
      'Access control is off: whoever reaches a node may do everything. Users, roles and tokens are kept.\n',
  )
}

async function newSecret(file: string): Promise<void> {
  try {
    await writeFile(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AlthingError('conflict', `no secret was written: ${reason}`, { cause, outcome: 'none' })
  }
  process.stdout.write(`A new secret is in ${file}, which only you can read. Copy it to every node.\n`)
}

async function clientSecret(file: string, options: { readonly json?: boolean }): Promise<void> {
  const secret = clientSecretOf(await secretIn(file))
  await print(options.json, { secret }, `${secret}\n`)
}
