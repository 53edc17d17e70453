import type { Command } from 'commander'
import { asAlthingError } from '../contracts/errors.ts'
import { askMembers } from './ask-members.ts'
import { wholeNumber } from './arguments.ts'
import { formatTable } from './format-table.ts'
import { formatTime } from './format-time.ts'
import { operate } from './operate.ts'
import { print } from './output.ts'
import { withSlowProgress } from './progress.ts'
import { commandWorld, type TargetOptions, targetUrl, withTargetOptions } from './target.ts'

/** `althing access audit` */
export function registerAccessAuditCommand(access: Command): void {
  withTargetOptions(
    access
      .command('audit')
      .description('the last lines of the audit logs of all nodes, in the order of their clocks')
      .option('--lines <number>', 'how many of each node (at most 1000)', '20'),
  ).action(audit)
}

interface AuditLine {
  readonly atMs: number
  readonly node: number
  readonly who: string
  readonly from: string
  readonly what: string
  readonly outcome: string
  readonly action?: string
  readonly details?: unknown
}

/** Exit code 1 when a node did not answer: its lines are missing. */
async function audit(options: TargetOptions & { readonly lines: string }): Promise<void> {
  const limit = wholeNumber('--lines', options.lines)
  const world = commandWorld()
  const isShown = options.json !== true
  const silent: { id: number; reason: string }[] = []
  const lines = await withSlowProgress(world.timers, 'Asking the nodes', isShown, async () => {
    const url = await targetUrl(world, options)
    const found = (await askMembers(world, url)).map(async ({ id, address }) => {
      try {
        return (await operate(world, `althing://${address}`, 'audit.read', { limit })) as readonly AuditLine[]
      } catch (error) {
        silent.push({ id, reason: asAlthingError(error).message })
        return []
      }
    })
    return (await Promise.all(found)).flat().sort((a, b) => a.atMs - b.atMs)
  })
  await print(options.json, { lines, silent }, formatAudit(lines, silent))
  if (silent.length > 0) process.exitCode = 1
}

function formatAudit(
  lines: readonly AuditLine[],
  silent: readonly { readonly id: number; readonly reason: string }[],
): string {
  const table = formatTable([
    ['TIME', 'NODE', 'WHO', 'FROM', 'OUTCOME', 'WHAT'],
    ...lines.map(({ atMs, node, who, from, outcome, what, details }) => [
      formatTime(atMs),
      node,
      who || '-',
      from || '-',
      outcome,
      details === undefined ? what : `${what} ${JSON.stringify(details)}`,
    ]),
  ])
  return table + silent.map(({ id, reason }) => `node ${id}: ${reason}\n`).join('')
}
