import type { Command } from 'commander'
import { quotaSize } from './arguments.ts'
import { formatBytes } from './format-backup.ts'
import { operateCommand } from './operate.ts'
import { type TargetOptions, withTargetOptions } from './target.ts'

interface QuotaOptions extends TargetOptions {
  readonly group?: string
}

interface Space {
  readonly bytes: number
  readonly quotaBytes: number
  readonly historyBytes: number
  readonly state: string
  readonly reason?: string
}

/** `althing quota [size]`: how full a store is, and how full it may become. */
export function registerQuotaCommand(program: Command): void {
  withTargetOptions(
    program
      .command('quota')
      .argument('[size]', 'the new quota, such as 4GiB; on all members, while they run')
      .option('--group <name>', "the store of this group (default: the cluster's own)")
      .description('see how full a store is, or set its quota'),
  ).action(quota)
}

async function quota(size: string | undefined, options: QuotaOptions): Promise<void> {
  const group = options.group === undefined ? {} : { group: options.group }
  if (size === undefined) {
    await operateCommand<Space>(
      options,
      { name: 'store.space', argument: group, progress: 'Asking a node' },
      formatSpace,
    )
    return
  }
  await operateCommand<Pick<Space, 'quotaBytes'>>(
    options,
    {
      name: 'store.set-quota',
      argument: { ...group, quotaBytes: quotaSize('size', size) },
      progress: 'Setting the quota',
    },
    ({ quotaBytes }) => `the quota is ${formatBytes(quotaBytes)} now\n`,
  )
}

export function formatSpace({ bytes, quotaBytes, historyBytes, state, reason }: Space): string {
  const share = Math.round((bytes / quotaBytes) * 100)
  const size = `${formatBytes(bytes)} of ${formatBytes(quotaBytes)} (${share} %), of it ${formatBytes(historyBytes)} history`
  if (state === 'ok') return `${size}\n`
  if (state === 'nearly-full') return `${size}: nearly full\n`
  return `${size}: full, takes no growth${reason === undefined ? '' : `: ${reason}`}\n`
}
