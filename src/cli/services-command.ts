import type { Command } from 'commander'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import { Discovery } from '../coordination/discovery/discovery.ts'
import type { ServiceInstance } from '../coordination/discovery/discovery-types.ts'
import { guarantees } from '../coordination/guarantees.ts'
import type { Althing } from '../node/althing.ts'
import { formatServices } from './format-services.ts'
import { print } from './output.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

interface ServicesOptions extends TargetOptions {
  readonly watch?: boolean
}

/** `althing services [NAME] [--watch]` */
export function registerServicesCommand(program: Command): void {
  withTargetOptions(
    program
      .command('services')
      .argument('[name]', 'this service only')
      .description('which instances there are, where, and how they are')
      .option('--watch', 'show each change of the service until Ctrl-C'),
  ).action(services)
}

async function services(name: string | undefined, options: ServicesOptions): Promise<void> {
  await withStore(options, async (althing) => {
    // To look on needs no guarantee, and is nothing that the doctor has to tell of.
    const discovery = new Discovery({ store: althing.raw, world: althing.world, accept: guarantees })
    try {
      if (options.watch === true) return await watch(althing, discovery, name, options)
      const names = name === undefined ? await discovery.services() : [name]
      const found: ServiceInstance[] = []
      for (const each of names) found.push(...(await discovery.instances(each)))
      if (name !== undefined && found.length === 0) {
        throw new AlthingError('not-found', `service ${name} has no instances`)
      }
      await print(options.json, found, formatServices(found, althing.world.clock.wallMs()))
    } finally {
      await discovery.close()
    }
  })
}

async function watch(
  { world }: Althing,
  discovery: Discovery,
  name: string | undefined,
  { json }: ServicesOptions,
): Promise<void> {
  if (name === undefined) throw invalidArgument('NAME', name, 'given where --watch is')
  const stopping = new AbortController()
  process.once('SIGINT', () => stopping.abort())
  process.once('SIGTERM', () => stopping.abort())
  const live = discovery.watch(name, { signal: stopping.signal })
  for await (const { instances, stale, revision } of live.changes) {
    if (revision === 0) continue
    const head = stale ? 'STALE: the store has been silent; this is what was known last\n' : ''
    await print(
      json,
      { instances, stale, revision },
      `${head}${formatServices(instances, world.clock.wallMs())}\n`,
    )
  }
}
