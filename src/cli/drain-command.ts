import type { Command } from 'commander'
import { AlthingError } from '../contracts/errors.ts'
import { durationMs, wholeNumber } from './arguments.ts'
import { askMembers } from './ask-members.ts'
import { operate } from './operate.ts'
import { print } from './output.ts'
import { withSlowProgress } from './progress.ts'
import { commandWorld, type TargetOptions, targetUrl, withTargetOptions } from './target.ts'

interface DrainOptions extends TargetOptions {
  readonly within: string
  readonly undo?: boolean
}

/** `althing drain ID` */
export function registerDrainCommand(program: Command): void {
  withTargetOptions(
    program
      .command('drain')
      .argument('<id>', 'the member')
      .description('hand over all that a node leads and keep new clients away, before it is stopped')
      .option('--within <duration>', 'for so long at most', '10s')
      .option('--undo', 'take it back'),
  ).action(drain)
}

/** Exit code 1 when the node still leads something that others could. */
async function drain(argument: string, options: DrainOptions): Promise<void> {
  const id = wholeNumber('id', argument)
  const withinMs = durationMs('--within', options.within)
  const world = commandWorld()
  const isUndone = options.undo === true
  const leading = await withSlowProgress(world.timers, 'Draining', options.json !== true, async () => {
    const members = await askMembers(world, await targetUrl(world, options))
    const target = members.find((member) => member.id === id)
    if (target?.status === undefined) {
      const problem = target === undefined ? `there is no member ${id}` : `node ${id} does not answer`
      throw new AlthingError(target === undefined ? 'not-found' : 'unavailable', problem, { outcome: 'none' })
    }
    const call = isUndone ? 'node.undrain' : 'node.drain'
    const answer = await operate(world, `althing://${target.address}`, call, isUndone ? null : { withinMs })
    return (answer as { readonly leading?: number } | null)?.leading ?? 0
  })
  const text = isUndone
    ? `node ${id} takes part again\n`
    : leading === 0
      ? `node ${id} leads nothing and takes no new clients: it can be stopped\n`
      : `node ${id} still leads ${leading} groups: nobody else could take them over within ${options.within}\n`
  await print(options.json, { id, leading }, text)
  if (leading > 0) process.exitCode = 1
}
