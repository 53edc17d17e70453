import type { Command } from 'commander'
import { type AcceptedWeakness, acceptedWeaknesses } from '../coordination/accepted-weaknesses.ts'
import { open } from '../node/althing.ts'
import { bySeverity, diagnose } from '../node/diagnosis/diagnose.ts'
import { examineStore } from '../node/diagnosis/examine-store.ts'
import type { World } from '../contracts/world.ts'
import { withKnownAges } from '../node/diagnosis/finding-ages.ts'
import type { Finding, Severity } from '../node/diagnosis/finding.ts'
import type { MemberAnswer } from '../node/diagnosis/member-answer.ts'
import { askMembers } from './ask-members.ts'
import { formatFindings } from './format-findings.ts'
import { measureDiskSync } from './measure-disk.ts'
import { openNode } from './open-node.ts'
import { print } from './output.ts'
import { withSlowProgress } from './progress.ts'
import { commandWorld, type TargetOptions, targetUrl, withStore, withTargetOptions } from './target.ts'

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
        'look for what endangers the cluster, or any other store, and say what to do; exit code 1 when there is a problem',
      ),
  )
    .option('--data <folder>', 'measure the disk in this folder', './data')
    .option('--strict', 'exit code 3 when there are warnings only')
    .action(doctor)
}

/** What the nodes that look all the time have found: they know since when. */
async function knownFindings(world: World, members: readonly MemberAnswer[]): Promise<Finding[]> {
  const answering = members.filter(({ status }) => status !== undefined)
  const found = await Promise.all(
    answering.map(async ({ address }) => {
      try {
        const client = await openNode(world, address)
        try {
          return (await client.operate('node.health')) as unknown as readonly Finding[]
        } finally {
          client.close()
        }
      } catch {
        // A caller without the admin right, or a node without an HTTP face: the findings stand without their ages.
        return []
      }
    }),
  )
  return found.flat()
}

/** Whatever the engine, unless it is a cluster of ours, whose nodes can be asked for more. */
async function examineAnyStore(url: string, options: DoctorOptions): Promise<Finding[]> {
  return await withStore({ ...options, url }, async ({ raw, world }) =>
    bySeverity(await examineStore(raw, world)),
  )
}

async function examineCluster(world: World, url: string, options: DoctorOptions): Promise<Finding[]> {
  const isShown = options.json !== true
  const examination = await withSlowProgress(world.timers, 'Examining', isShown, async () => {
    const members = await askMembers(world, url)
    const disk = await measureDiskSync(options.data)
    const accepted = await acceptedOn(url, world)
    return {
      members,
      nowMs: world.clock.wallMs(),
      ...(disk === undefined ? {} : { disk }),
      ...(accepted === undefined ? {} : { accepted }),
    }
  })
  return withKnownAges(diagnose(examination), await knownFindings(world, examination.members))
}

/** `undefined` where the store cannot be read: the examination says why. */
async function acceptedOn(url: string, world: World): Promise<readonly AcceptedWeakness[] | undefined> {
  try {
    const althing = await open(url, { world, timeout: '2s' })
    try {
      return await acceptedWeaknesses(althing.raw)
    } finally {
      await althing.close()
    }
  } catch {
    return undefined
  }
}

async function doctor(options: DoctorOptions): Promise<void> {
  const world = commandWorld()
  const url = await targetUrl(world, options)
  const isCluster = url.startsWith('althing:')
  const findings = isCluster ? await examineCluster(world, url, options) : await examineAnyStore(url, options)
  await print(options.json, { findings }, formatFindings(findings))
  const has = (wanted: Severity): boolean => findings.some(({ severity }) => severity === wanted)
  if (has('problem')) process.exitCode = 1
  else if (options.strict === true && has('warning')) process.exitCode = 3
}
