import type { Command } from 'commander'
import { durationMs } from './arguments.ts'
import { formatTable } from './format-table.ts'
import { formatTime } from './format-time.ts'
import { operateCommand } from './operate.ts'
import { type TargetOptions, withTargetOptions } from './target.ts'

interface CreateOptions extends TargetOptions {
  readonly label?: string
  readonly validFor?: string
}

/** `althing access token …` */
export function registerAccessTokenCommand(access: Command): void {
  const token = access.command('token').description('see, make and revoke tokens: what programs sign in with')
  withTargetOptions(token.command('list').description('tokens, without their secrets')).action(list)
  withTargetOptions(
    token
      .command('create')
      .argument('<user>', 'in whose name it signs in')
      .description('make a token; it is printed once')
      .option('--label <text>', 'what it is for')
      .option('--valid-for <duration>', 'such as 30d (default: until it is revoked)'),
  ).action(create)
  withTargetOptions(
    token
      .command('revoke')
      .argument('<id>', 'the id that the list shows, or the whole token')
      .description('end a token, on every node, now'),
  ).action(revoke)
}

interface ListedToken {
  readonly id: string
  readonly user: string
  readonly label: string
  readonly createdAtMs: number
  readonly expiresAtMs?: number
}

async function list(options: TargetOptions): Promise<void> {
  await operateCommand<readonly ListedToken[]>(
    options,
    { name: 'access.token.list', argument: null, progress: 'Asking the leader' },
    (tokens) =>
      formatTable([
        ['ID', 'USER', 'MADE', 'ENDS', 'LABEL'],
        ...tokens.map(({ id, user, label, createdAtMs, expiresAtMs }) => [
          id,
          user,
          formatTime(createdAtMs),
          expiresAtMs === undefined ? 'never' : formatTime(expiresAtMs),
          label,
        ]),
      ]),
  )
}

async function create(user: string, options: CreateOptions): Promise<void> {
  const { label, validFor } = options
  const argument = {
    user,
    ...(label === undefined ? {} : { label }),
    ...(validFor === undefined ? {} : { ttlMs: durationMs('--valid-for', validFor) }),
  }
  await operateCommand<{ readonly id: string; readonly token: string; readonly expiresAtMs?: number }>(
    options,
    { name: 'access.token.create', argument, progress: 'Making a token' },
    ({ id, token, expiresAtMs }) =>
      `Token ${id} of user ${user}${expiresAtMs === undefined ? '' : `, until ${formatTime(expiresAtMs)}`}. It is not shown again:\n\n` +
      `  export ALTHING_TOKEN=${token}\n`,
  )
}

async function revoke(given: string, options: TargetOptions): Promise<void> {
  // Whoever revokes a token that leaked has the token at hand, and not its id.
  const id = /^alt_([0-9a-f]{16})_/.exec(given)?.[1] ?? given
  await operateCommand(
    options,
    { name: 'access.token.revoke', argument: { id }, progress: 'Revoking' },
    () => `token ${id} is revoked\n`,
  )
}
