import { AlthingError, withOutcome } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { payloadBytesMin } from './nats-capabilities.ts'
import { natsError } from './nats-errors.ts'
import {
  type JetStreamLibrary,
  loadJetStream,
  loadTransport,
  type NatsConnection,
  type NatsConnectionOptions,
} from './nats-library.ts'
import { NatsLog } from './nats-log.ts'
import type { CheckedNatsOptions } from './nats-options.ts'
import { prepareStreams } from './nats-streams.ts'

/** A log, with what is known of its servers. */
export interface OpenedNatsLog {
  readonly log: NatsLog
  readonly replicas: number
  readonly ownsConnection: boolean
}

const retryMs = 200
const requestMs = 2_000

/** Noticed within some seconds, and tried again for as long as the store is open. */
const connectionDefaults = {
  name: 'althing',
  maxReconnectAttempts: -1,
  reconnectTimeWait: 100,
  reconnectJitter: 200,
  pingInterval: 2_000,
  maxPingOut: 2,
  noAsyncTraces: true,
}

/** Connects, and makes the streams that are missing. Rejects as `openNatsStore`, with outcome `none`. */
export async function openNatsLog(world: World, checked: CheckedNatsOptions): Promise<OpenedNatsLog> {
  const library = await loadJetStream()
  const { connection, ownsConnection } = await connectionOf(world, checked)
  try {
    return { ...(await prepare(world, library, connection, ownsConnection, checked)), ownsConnection }
  } catch (error) {
    if (ownsConnection && !connection.isClosed()) await connection.close().catch(() => undefined)
    throw withOutcome(natsError(error), 'none')
  }
}

async function connectionOf(
  world: World,
  { source, timeoutMs }: CheckedNatsOptions,
): Promise<{ readonly connection: NatsConnection; readonly ownsConnection: boolean }> {
  if ('connection' in source) return { connection: source.connection, ownsConnection: false }
  const { connect } = await loadTransport()
  const settings: NatsConnectionOptions = { ...connectionDefaults, ...source.connect }
  const connection = await untilItWorks(world, timeoutMs, (leftMs) =>
    connect({ ...settings, timeout: Math.max(1, Math.min(leftMs, requestMs)) }),
  )
  return { connection, ownsConnection: true }
}

async function prepare(
  world: World,
  library: JetStreamLibrary,
  connection: NatsConnection,
  ownsConnection: boolean,
  { streams, replicas, create, domain, timeoutMs }: CheckedNatsOptions,
): Promise<{ readonly log: NatsLog; readonly replicas: number }> {
  const payloadBytes = connection.info?.max_payload ?? 0
  if (payloadBytes < payloadBytesMin) {
    throw new AlthingError(
      'incompatible-peer',
      `the server takes messages of at most ${payloadBytes} bytes (max_payload), but ${payloadBytesMin} are needed`,
      { outcome: 'none', details: { payloadBytes, payloadBytesMin } },
    )
  }
  const place = domain === undefined ? {} : { domain }
  const manager = await library.jetstreamManager(connection, {
    timeout: requestMs,
    checkAPI: false,
    ...place,
  })
  const client = library.jetstream(connection, { timeout: requestMs, ...place })
  const { config } = await untilItWorks(world, timeoutMs, () =>
    prepareStreams(manager, streams, { replicas, create }),
  )
  const log = new NatsLog({ world, connection, client, manager, streams, ownsConnection })
  return { log, replicas: config.num_replicas }
}

/** The servers may just be starting, or electing. */
async function untilItWorks<T>(
  world: World,
  timeoutMs: number,
  attempt: (leftMs: number) => Promise<T>,
): Promise<T> {
  const endMs = world.clock.monotonicMs() + timeoutMs
  for (;;) {
    try {
      return await attempt(endMs - world.clock.monotonicMs())
    } catch (error) {
      const failure = natsError(error)
      const isPassing = failure.code === 'unavailable' || failure.code === 'timeout'
      if (!isPassing || world.clock.monotonicMs() + retryMs > endMs) throw withOutcome(failure, 'none')
      await new Promise<void>((resolve) => world.timers.after(retryMs, resolve))
    }
  }
}
