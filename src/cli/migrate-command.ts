import type { Command } from 'commander'
import { Migration, type MigrationProgress, type MigrationReport } from '../migration/migration.ts'
import type { Althing } from '../node/althing.ts'
import { prefixKeyRange } from '../node/key-range.ts'
import { formatBytes } from './format-backup.ts'
import { print } from './output.ts'
import { countingProgress } from './progress.ts'
import { commandWorld, openStore } from './target.ts'
import { untilStopped } from './until-stopped.ts'

interface MigrateOptions {
  readonly prefix?: string
  readonly replace?: boolean
  readonly cutOver?: boolean
  readonly json?: boolean
}

/** `althing migrate FROM TO`, until Ctrl-C; then `althing migrate FROM TO --cut-over`. */
export function registerMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .argument('<from>', 'URL of the store that is in use')
    .argument('<to>', 'URL of the store that is to take its place')
    .description(
      'move a live store to another engine: copy it and follow its changes until Ctrl-C; then hand over with --cut-over',
    )
    .option('--prefix <prefix>', 'move only keys that start with it')
    .option('--replace', 'what the new store has there already makes way')
    .option(
      '--cut-over',
      'nobody writes to the old store any more: compare both until nothing differs, and hand over',
    )
    .option('--json', 'print JSON')
    .action(migrate)
}

async function migrate(fromUrl: string, toUrl: string, options: MigrateOptions): Promise<void> {
  const world = commandWorld()
  const from = await openStore(fromUrl, world)
  try {
    const to = await openStore(toUrl, world)
    try {
      await run(from, to, options)
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

async function run(from: Althing, to: Althing, options: MigrateOptions): Promise<void> {
  const progress = countingProgress('Moving', options.json !== true, String)
  let step: MigrationProgress['step'] | undefined
  const migration = await Migration.begin({
    from: from.raw,
    to: to.raw,
    world: from.world,
    ...(options.prefix === undefined ? {} : { range: prefixKeyRange(options.prefix) }),
    replace: options.replace === true,
    progressed: (now) => {
      if (now.step !== step && options.json !== true) process.stderr.write(`${beginOf[now.step]}\n`)
      step = now.step
      progress.show(now.keys ?? now.revision)
    },
  })
  try {
    if (options.cutOver === true) await handOver(migration, options)
    else await follow(migration, options)
  } finally {
    progress.end()
  }
}

async function handOver(migration: Migration, options: MigrateOptions): Promise<void> {
  const report = await migration.cutOver()
  await print(options.json, report, formatReport(report))
}

async function follow(migration: Migration, options: MigrateOptions): Promise<void> {
  const abort = new AbortController()
  const following = migration.follow(abort.signal)
  await untilStopped(following)
  abort.abort()
  await following
  const { revision, phase } = migration.reached
  const hint =
    'To hand over, stop all who write to the old store, then run the same command with --cut-over. To go on following, run it again.\n'
  await print(
    options.json,
    { revision, phase },
    `\n${phase === 'follow' ? 'The new store has' : 'The copy is not complete; it is at'} revision ${revision} of the old one. ${hint}`,
  )
}

const beginOf: Readonly<Record<MigrationProgress['step'], string>> = {
  copying: 'Copying the keys ...',
  following: 'All keys are there; following what is written. Ctrl-C ends it, and loses nothing.',
  comparing: 'Comparing both stores ...',
  raising: 'Raising the revision of the new store past that of the old one ...',
}

function formatReport({ keys, bytes, leased, revision, newRevision, passes }: MigrationReport): string {
  const held = leased === 0 ? '' : `${leased} keys on leases were left to the programs that hold them.\n`
  return (
    `${keys} keys (${formatBytes(bytes)}) are the same in both stores, found in comparison ${passes}.\n${held}` +
    `The old store ended at revision ${revision}; the new one is at ${newRevision}. Point your programs to the new store.\n`
  )
}
