import { basename, dirname } from 'node:path'
import { type Command, Option } from 'commander'
import type { World } from '../contracts/world.ts'
import { writeBackupFile } from '../engines/cluster/backup/backup-file.ts'
import { type TakenBackup, takeBackup } from '../engines/cluster/backup/take-backup.ts'
import type { NodeClient } from '../engines/cluster/node-client.ts'
import { openNode } from './open-node.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { wholeNumber } from './arguments.ts'
import { leaderAmong } from '../node/diagnosis/member-answer.ts'
import { askMembers } from './ask-members.ts'
import { planBackup, type BackupSource } from './backup-plan.ts'
import { formatBytes, formatTaken } from './format-backup.ts'
import { print, write } from './output.ts'
import { countingProgress } from './progress.ts'
import { commandWorld, type TargetOptions, targetUrl, withTargetOptions } from './target.ts'
import { registerVerifyCommand } from './verify-command.ts'

interface BackupOptions extends TargetOptions {
  readonly group?: string
  readonly all?: boolean
  readonly node?: string
  readonly withoutAccess?: boolean
  readonly serializable?: boolean
}

const callTimeoutMs = 30_000

/** `althing backup FILE` and `althing backup verify FILE` */
export function registerBackupCommand(program: Command): void {
  const command = withTargetOptions(
    program
      .command('backup')
      .argument('<file>', 'where to write it; - is standard output')
      .description('save a consistent copy of the store into a file, while the cluster serves'),
  )
    .addOption(new Option('--group <name>', 'a group by name or number (default: the store, 1)'))
    .addOption(new Option('--all', 'every group').conflicts('group'))
    .option('--node <id>', 'read from this member (default: a follower that is ready)')
    .option('--without-access', 'leave out users, roles and tokens')
    .option('--serializable', 'do not ask the leader: for a cluster that has lost its quorum')
    .action(backup)
  registerVerifyCommand(command)
}

async function backup(file: string, options: BackupOptions): Promise<void> {
  const world = commandWorld()
  const url = await targetUrl(world, options)
  const sources = planBackup(await offersOf(world, url), {
    ...(options.group === undefined ? {} : { group: options.group }),
    all: options.all === true,
    ...(options.node === undefined ? {} : { node: wholeNumber('--node', options.node) }),
  })
  const nodes = new Map<string, NodeClient>()
  const progress = countingProgress('Saving', options.json !== true && file !== '-', formatBytes)
  try {
    for (const { address } of sources)
      if (!nodes.has(address))
        nodes.set(address, await openNode(world, address, { timeoutMs: callTimeoutMs }))
    const bytes = takeBackup({
      groups: sources.map(({ group, address }) => ({ group, node: nodes.get(address) as NodeClient })),
      takenAtMs: world.clock.wallMs(),
      withoutAccess: options.withoutAccess === true,
      serializable: options.serializable === true,
      onProgress: progress.show,
    })
    const taken = await save(file, bytes)
    progress.end()
    const isRecorded = await record(world, url, taken)
    if (file !== '-') await print(options.json, { file, ...taken }, formatTaken(file, taken))
    if (!isRecorded) process.stderr.write('althing: the cluster could not be told of this backup\n')
  } finally {
    progress.end()
    for (const node of nodes.values()) node.close()
  }
}

async function save(
  file: string,
  bytes: AsyncGenerator<Uint8Array[], TakenBackup, undefined>,
): Promise<TakenBackup> {
  if (file !== '-') {
    const { disk } = createNodeWorld({ dataFolder: dirname(file), logger: new NodeLogger('warn') })
    return writeBackupFile(disk, basename(file), bytes)
  }
  for (;;) {
    const next = await bytes.next()
    if (next.done === true) return next.value
    for (const chunk of next.value) await write(chunk)
  }
}

/** The groups that each member which answers has a copy of. */
async function offersOf(world: World, url: string): Promise<BackupSource[]> {
  const answers = await askMembers(world, url)
  const offers = await Promise.all(
    answers.map(async ({ id, address, status }): Promise<BackupSource[]> => {
      if (status === undefined) return []
      const client = await openNode(world, address)
      try {
        const groups = (await client.operate('backup.list')) as unknown as BackupSource[]
        const { role, isReady } = status
        return groups.map(({ group, name }) => ({ group, name, node: id, address, role, isReady }))
      } finally {
        client.close()
      }
    }),
  )
  return offers.flat()
}

/** So that the age of the last backup can be watched. A backup that is not of the cluster's own store, or not from a quorum, does not count. */
async function record(world: World, url: string, taken: TakenBackup): Promise<boolean> {
  const own = taken.groups.find(({ group }) => group === 1)
  if (own === undefined || taken.manifest.serializable) return true
  try {
    const leader = leaderAmong(await askMembers(world, url))
    if (leader === undefined) return false
    const client = await openNode(world, leader.address)
    try {
      await client.operate('backup.record', { revision: own.revision, bytes: taken.bytes })
    } finally {
      client.close()
    }
    return true
  } catch {
    return false
  }
}
