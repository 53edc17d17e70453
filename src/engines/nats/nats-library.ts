import { loadOptionalPackage } from '../optional-package.ts'

/** What the engine uses of `@nats-io/transport-node`, in its own words, so that programs without NATS type-check without the package. */
export interface NatsConnection {
  readonly info?: { readonly max_payload: number; readonly version: string } | undefined
  isClosed(): boolean
  closed(): Promise<void | Error>
  close(): Promise<void>
  reconnect(): Promise<void>
  getServer(): string
  status(): AsyncIterable<{ readonly type: string }>
  publish(subject: string, data?: Uint8Array): void
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: NatsMessage) => void },
  ): { unsubscribe(): void }
}

export interface NatsMessage {
  readonly subject: string
  readonly reply?: string
  readonly data: Uint8Array
  readonly headers?: { readonly code: number; readonly description: string; get(name: string): string }
}

/** Options of `connect` of `@nats-io/transport-node`. */
export type NatsConnectionOptions = Readonly<Record<string, unknown>>

export interface NatsTransport {
  connect(options: NatsConnectionOptions): Promise<NatsConnection>
}

/** Of `@nats-io/jetstream`. */
export interface JetStreamLibrary {
  jetstream(connection: NatsConnection, options: { timeout: number; domain?: string }): JetStreamClient
  jetstreamManager(
    connection: NatsConnection,
    options: { timeout: number; checkAPI: boolean; domain?: string },
  ): Promise<JetStreamManager>
}

export interface JetStreamClient {
  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<{ readonly seq: number }>
}

export interface PublishOptions {
  readonly timeout: number
  readonly retries: number
  readonly expect?: { readonly lastSubjectSequence: number }
}

export interface JetStreamManager {
  readonly streams: {
    info(stream: string): Promise<StreamInfo>
    add(config: Readonly<Record<string, unknown>>): Promise<StreamInfo>
    purge(stream: string, options: { seq?: number; filter?: string; keep?: number }): Promise<unknown>
    getMessage(
      stream: string,
      query: { seq: number } | { last_by_subj: string },
    ): Promise<StoredMessage | null>
  }
  readonly consumers: {
    add(stream: string, config: Readonly<Record<string, unknown>>): Promise<{ readonly name: string }>
    delete(stream: string, consumer: string): Promise<boolean>
  }
}

export interface StoredMessage {
  readonly subject: string
  readonly seq: number
  readonly data: Uint8Array
}

export interface StreamInfo {
  readonly created: string
  readonly config: Readonly<Record<string, unknown>> & { readonly num_replicas: number }
  readonly state: { readonly first_seq: number; readonly last_seq: number }
}

const version = '3.3.1'
const neededFor = 'the engine of NATS'

export async function loadTransport(): Promise<NatsTransport> {
  return await loadOptionalPackage<NatsTransport>(
    '@nats-io/transport-node',
    version,
    neededFor,
    async () => (await import('@nats-io/transport-node')) as unknown as NatsTransport,
  )
}

export async function loadJetStream(): Promise<JetStreamLibrary> {
  return await loadOptionalPackage<JetStreamLibrary>(
    '@nats-io/jetstream',
    version,
    neededFor,
    async () => (await import('@nats-io/jetstream')) as unknown as JetStreamLibrary,
  )
}
