import { AlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import { natsError } from './nats-errors.ts'
import type { JetStreamManager, StreamInfo } from './nats-library.ts'

/** The two streams of a store, and their subjects. */
export interface StoreStreams {
  readonly log: string
  readonly logSubject: string
  readonly snapshots: string
  readonly manifestSubject: string
  readonly chunkSubject: (id: string) => string
}

/** Throws `invalid-argument`. */
export function streamsOf(store: string): StoreStreams {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(store))
    throw invalidArgument('store', store, 'a name of 1 to 64 letters, digits, - and _')
  return {
    log: `ALTHING_${store}`,
    logSubject: `althing.${store}.log`,
    snapshots: `ALTHING_${store}_SNAPSHOTS`,
    manifestSubject: `althing.${store}.snapshots.manifest`,
    chunkSubject: (id) => `althing.${store}.snapshots.chunks.${id}`,
  }
}

/**
 * Makes the streams that are missing, and refuses ones that are set up so that they would lose what the engine counts on. Resolves with the log's. Rejects with `not-found` where one is
 * missing and may not be made, and with `incompatible-peer`.
 */
export async function prepareStreams(
  manager: JetStreamManager,
  streams: StoreStreams,
  { replicas, create }: { readonly replicas: number; readonly create: boolean },
): Promise<StreamInfo> {
  const common = { retention: 'limits', storage: 'file', discard: 'new', num_replicas: replicas, max_age: 0 }
  const log = await prepare(manager, create, { ...common, name: streams.log, subjects: [streams.logSubject] })
  const subjects = [streams.manifestSubject, streams.chunkSubject('*')]
  await prepare(manager, create, { ...common, name: streams.snapshots, subjects })
  return log
}

interface WantedStream extends Readonly<Record<string, unknown>> {
  readonly name: string
  readonly subjects: readonly string[]
}

async function prepare(
  manager: JetStreamManager,
  create: boolean,
  wanted: WantedStream,
): Promise<StreamInfo> {
  const found = (await infoOf(manager, wanted.name)) ?? (await made(manager, create, wanted))
  const { config } = found
  const kept = ['retention', 'discard', 'max_age'] as const
  const wrong: string[] = kept.filter((name) => (config[name] ?? 0) !== wanted[name])
  if (String(config['subjects']) !== String(wanted.subjects)) wrong.push('subjects')
  if (Number(config['max_msgs_per_subject'] ?? -1) > 0) wrong.push('max_msgs_per_subject')
  if (config['sealed'] === true) wrong.push('sealed')
  if (config['deny_purge'] === true) wrong.push('deny_purge')
  if (wrong.length === 0) return found
  throw new AlthingError(
    'incompatible-peer',
    `the stream ${wanted.name} cannot carry a store: ${wrong.map((name) => `${name} is ${JSON.stringify(config[name])}`).join(', ')}`,
    { outcome: 'none', details: { stream: wanted.name, wrong } },
  )
}

async function infoOf(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name)
  } catch (error) {
    const failure = natsError(error)
    if (failure.code === 'not-found') return undefined
    throw failure
  }
}

async function made(manager: JetStreamManager, create: boolean, wanted: WantedStream): Promise<StreamInfo> {
  if (!create) {
    throw new AlthingError('not-found', `there is no stream ${wanted.name}, and \`create\` is false`, {
      outcome: 'none',
      details: { stream: wanted.name },
    })
  }
  try {
    return await manager.streams.add(wanted)
  } catch (error) {
    const failure = natsError(error)
    // Another process has made it meanwhile, with other settings.
    if (!isAlthingError(failure, 'conflict')) throw failure
    return (await infoOf(manager, wanted.name)) ?? Promise.reject(failure)
  }
}
