import type { Command } from 'commander'
import { diagnose } from '../node/diagnosis/diagnose.ts'
import type { Severity } from '../node/diagnosis/finding.ts'
import { askMembers } from './ask-members.ts'
import { formatFindings } from './format-findings.ts'
import { measureDiskSync } from './measure-disk.ts'
import { print } from './output.ts'
import { withSlowProgress } from './progress.ts'
import { commandWorld, type TargetOptions, targetUrl, withTargetOptions } from './target.ts'

interface DoctorOptions extends TargetOptions {
  readonly data: string
  readonly strict?: boolean
}

/** `althing doctor` */
export function registerDoctorCommand(program: Command): void {
  withTargetOptions(
    program
      .command('doctor')
      .description(
        'look for what endangers the cluster, and say what to do; exit code 1 when there is a problem',
      ),
  )
    .option('--data <folder>', 'measure the disk in this folder', './data')
    .option('--strict', 'exit code 3 when there are warnings only')
    .action(doctor)
}

async function doctor(options: DoctorOptions): Promise<void> {
  const world = commandWorld()
  const examination = await withSlowProgress(world.timers, 'Examining', options.json !== true, async () => {
    const members = await askMembers(world, await targetUrl(world, options))
    const disk = await measureDiskSync(options.data)
    return { members, nowMs: world.clock.wallMs(), ...(disk === undefined ? {} : { disk }) }
  })
  const findings = diagnose(examination)
  await print(options.json, { findings }, formatFindings(findings))
  const has = (wanted: Severity): boolean => findings.some(({ severity }) => severity === wanted)
  if (has('problem')) process.exitCode = 1
  else if (options.strict === true && has('warning')) process.exitCode = 3
}
