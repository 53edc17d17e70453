import type { Command } from 'commander'
import { leaderAmong, statusProblems } from '../node/diagnosis/member-answer.ts'
import { askMembers } from './ask-members.ts'
import { formatStatus } from './format-status.ts'
import { print } from './output.ts'
import { withSlowProgress } from './progress.ts'
import { commandWorld, type TargetOptions, targetUrl, withTargetOptions } from './target.ts'

/** `althing status` */
export function registerStatusCommand(program: Command): void {
  withTargetOptions(
    program
      .command('status')
      .description(
        'the members of the cluster: role, term, log, lag, and what is wrong; exit code 1 when something is',
      ),
  ).action(status)
}

async function status(options: TargetOptions): Promise<void> {
  const world = commandWorld()
  const answers = await withSlowProgress(
    world.timers,
    'Asking the members',
    options.json !== true,
    async () => askMembers(world, await targetUrl(world, options)),
  )
  const problems = statusProblems(answers).map(({ message }) => message)
  const members = answers.map(({ id, address, status: each }) => ({ id, address, status: each ?? null }))
  const leader = leaderAmong(answers)?.id ?? 0
  await print(options.json, { leader, members, problems }, formatStatus(answers))
  if (problems.length > 0) process.exitCode = 1
}
