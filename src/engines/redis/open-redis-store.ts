import { AlthingError } from '../../contracts/errors.ts'
import type { StoreCapabilities } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { Connections } from './connections.ts'
import { HistoryLine } from './history-line.ts'
import { type ClientFactory, factoryOfClient, factoryOfOptions } from './library.ts'
import { type CheckedOptions, checkOptions, type RedisStoreOptions } from './options.ts'
import { layoutVersion } from './place.ts'
import { failureOf } from './redis-errors.ts'
import { RedisStore } from './redis-store.ts'
import { type RenewalEngine, renewalEntry } from './renewal-thread.ts'
import {
  assertFit,
  capabilitiesOf,
  type KnownSetUp,
  losesNothing,
  readSettings,
  type ServerSettings,
} from './server-settings.ts'

export type { RedisStore, RedisStoreOptions }

/**
 * Opens a store in a database of Redis 7 or Valkey: makes it where there is none, and finds out what the server guarantees. Rejects with `invalid-argument`, `not-found` (the package `ioredis`, the
 * database), `unavailable`, `unauthenticated`, `permission-denied`, and `incompatible-peer` for a server or a store that it cannot work with.
 */
export async function openRedisStore(world: World, options: RedisStoreOptions): Promise<RedisStore> {
  const checked = checkOptions(options)
  const factory = await factoryOf(checked)
  const known: KnownSetUp = {
    mayFailOver: checked.mayFailOver,
    statedSyncedAlone: checked.statedSyncedAlone,
  }
  const settings = await withConnections(world, checked, factory, async (first) => {
    const read = await readSettings(await first.link())
    assertFit(read)
    return read
  })
  const capabilities = capabilitiesOf(settings, known)
  const mayBeginAnew = !capabilities.fencing
  const connections = connectionsOf(world, checked, factory, mayBeginAnew)
  try {
    const { layout, epoch } = await patiently(connections, checked.timeoutMs, () => connections.found())
    if (layout !== layoutVersion) throw ofAnotherProgram(checked, layout)
    return new RedisStore({
      connections,
      capabilities,
      options: checked,
      line: new HistoryLine(epoch),
      inspect: () => inspect(connections, capabilities, known),
      ...renewalOf(checked, connections, mayBeginAnew),
    })
  } catch (error) {
    connections.close()
    throw error
  }
}

function factoryOf({ source, timeoutMs }: CheckedOptions): Promise<ClientFactory> {
  const connectMs = Math.max(100, Math.round(timeoutMs / 2))
  return 'client' in source
    ? Promise.resolve(factoryOfClient(source.client, connectMs))
    : factoryOfOptions(source.config, connectMs)
}

function connectionsOf(
  world: World,
  { place, timeoutMs }: CheckedOptions,
  factory: ClientFactory,
  mayBeginAnew: boolean,
): Connections {
  return new Connections({ world, factory, place, silentMsMax: timeoutMs / 2, mayBeginAnew })
}

async function withConnections(
  world: World,
  checked: CheckedOptions,
  factory: ClientFactory,
  use: (connections: Connections) => Promise<ServerSettings>,
): Promise<ServerSettings> {
  const connections = connectionsOf(world, checked, factory, false)
  try {
    return await patiently(connections, checked.timeoutMs, () => use(connections))
  } finally {
    connections.close()
  }
}

/** Tries until the time of a call is over: the server may just be starting. */
async function patiently<T>(
  connections: Connections,
  timeoutMs: number,
  attempt: () => Promise<T>,
): Promise<T> {
  const { world } = connections
  const deadlineMs = world.clock.monotonicMs() + timeoutMs
  for (let failures = 0; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      const { error: failure, isPassing } = failureOf(error, false)
      const waitMs = connections.retryMs(failures)
      if (!isPassing || world.clock.monotonicMs() + waitMs > deadlineMs) throw statedNone(failure)
      await new Promise<void>((resolve) => world.timers.after(waitMs, resolve))
    }
  }
}

/** Whoever changes the settings of a server under a store in use should know what its programs rely on. */
async function inspect(
  connections: Connections,
  capabilities: StoreCapabilities,
  known: KnownSetUp,
): Promise<void> {
  try {
    const settings = await readSettings(await connections.link())
    const isWeaker = capabilities.fencing && !losesNothing(settings, known)
    if (!isWeaker && settings.evictionPolicy === 'noeviction') return
    connections.world.logger.log(
      'error',
      'the server does not keep any more what it kept when the store was opened: acknowledged writes may be lost',
      { store: connections.place.name, settings },
    )
  } catch {
    // The next look will tell.
  }
}

function renewalOf(
  { source, place, timeoutMs }: CheckedOptions,
  { identity }: Connections,
  mayBeginAnew: boolean,
): { readonly renewal?: { readonly entry: typeof renewalEntry; readonly engine: RenewalEngine } } {
  if (!('config' in source)) return {}
  const engine = { config: source.config, name: place.name, identity, timeoutMs, mayBeginAnew }
  return isCloneable(engine) ? { renewal: { entry: renewalEntry, engine } } : {}
}

/** A configuration with functions in it cannot go to a thread. */
function isCloneable(engine: RenewalEngine): boolean {
  try {
    structuredClone(engine)
    return true
  } catch {
    return false
  }
}

function ofAnotherProgram({ place }: CheckedOptions, layout: number): AlthingError {
  return new AlthingError(
    'incompatible-peer',
    `the store '${place.name}' has the layout ${layout}, but this program works with ${layoutVersion}`,
    { outcome: 'none', details: { layout } },
  )
}

function statedNone(failure: AlthingError): AlthingError {
  if (failure.outcome !== undefined) return failure
  return new AlthingError(failure.code, failure.message, {
    outcome: 'none',
    cause: failure.cause,
    ...(failure.details === undefined ? {} : { details: failure.details }),
  })
}
