import { type ClientDuplexStream, credentials, type ServiceClientConstructor } from '@grpc/grpc-js'
import type { StoreDriver } from '../cluster.ts'
import { forEachAtOnce } from '../load/at-once.ts'
import { etcdPackages, type Unary } from './etcd-protocol.ts'

interface PutRequest {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

interface RangeRequest {
  readonly key: Uint8Array
}

interface TxnRequest {
  readonly compare: readonly {
    readonly target: 'VERSION'
    readonly key: Uint8Array
    readonly version: number
  }[]
  readonly success: readonly (
    | { readonly request_put: PutRequest }
    | { readonly request_range: RangeRequest }
  )[]
}

interface KvClient {
  readonly put: Unary<PutRequest, unknown>
  readonly range: Unary<RangeRequest, { kvs: readonly { value: Uint8Array }[] }>
  readonly txn: Unary<TxnRequest, { readonly succeeded: boolean }>
  close(): void
}

interface LeaseId {
  readonly ID: string
}

interface LeaseClient {
  readonly leaseGrant: Unary<{ readonly TTL: number }, unknown>
  readonly leaseLeases: Unary<object, { readonly leases: readonly LeaseId[] }>
  readonly leaseRevoke: Unary<LeaseId, unknown>
  close(): void
}

interface WatchResponse {
  readonly watch_id: string
  readonly created: boolean
  readonly events: readonly unknown[]
}

type WatchCall = ClientDuplexStream<{ readonly create_request: { readonly key: Uint8Array } }, WatchResponse>

interface WatchClient {
  watch(): WatchCall
  close(): void
}

const services = etcdPackages()['etcdserverpb'] as unknown as Readonly<
  Record<'KV' | 'Lease' | 'Watch', ServiceClientConstructor>
>

/** Each channel has a connection of its own. A list of all leases is longer than what a client takes by default. */
const channelOptions = { 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': -1 }

/** In seconds: longer than any benchmark. */
const leaseTtl = 3_600
const revokedAtOnce = 256

/** etcd's store through its own interface, over `connections` connections to one member, used in turn. */
export class EtcdDriver implements StoreDriver {
  readonly #address: string
  readonly #clients: readonly KvClient[]
  #next = 0
  #leases: LeaseClient | undefined
  #watches: EtcdWatches | undefined

  constructor(address: string, connections = 1) {
    this.#address = address
    this.#clients = Array.from({ length: connections }, () => clientOf<KvClient>('KV', address))
  }

  async put(key: string, value: Uint8Array, deadlineMs: number): Promise<void> {
    const client = this.#client()
    await call(client, client.put, { key: Buffer.from(key), value }, deadlineMs)
  }

  async get(key: string, deadlineMs: number): Promise<number> {
    const client = this.#client()
    const { kvs } = await call(client, client.range, { key: Buffer.from(key) }, deadlineMs)
    const found = kvs[0]
    if (found === undefined) throw new Error(`etcd has no key ${key}`)
    return found.value.byteLength
  }

  async txn(absentKey: string, key: string, value: Uint8Array, deadlineMs: number): Promise<void> {
    const client = this.#client()
    const compare = [{ target: 'VERSION', key: Buffer.from(absentKey), version: 0 }] as const
    const own = Buffer.from(key)
    const success = [{ request_put: { key: own, value } }, { request_range: { key: own } }]
    const { succeeded } = await call(client, client.txn, { compare, success }, deadlineMs)
    if (!succeeded) throw new Error(`the key ${absentKey} exists`)
  }

  async grantLease(deadlineMs: number): Promise<void> {
    const client = this.#leaseClient()
    await call(client, client.leaseGrant, { TTL: leaseTtl }, deadlineMs)
  }

  async revokeLeases(deadlineMs: number): Promise<number> {
    const client = this.#leaseClient()
    const { leases } = await call(client, client.leaseLeases, {}, deadlineMs)
    await forEachAtOnce(leases, revokedAtOnce, ({ ID }) =>
      call(client, client.leaseRevoke, { ID }, deadlineMs),
    )
    return leases.length
  }

  async watch(key: string, seen: () => void): Promise<void> {
    this.#watches ??= new EtcdWatches(this.#address)
    await this.#watches.add(key, seen)
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close()
    this.#leases?.close()
    this.#watches?.close()
  }

  #leaseClient(): LeaseClient {
    this.#leases ??= clientOf<LeaseClient>('Lease', this.#address)
    return this.#leases
  }

  #client(): KvClient {
    this.#next = (this.#next + 1) % this.#clients.length
    return this.#clients[this.#next] as KvClient
  }
}

/** Many watches on one stream, as etcd's own clients do. It tells of creations in the order in which they were asked for. */
class EtcdWatches {
  readonly #client: WatchClient
  readonly #call: WatchCall
  readonly #created: { readonly resolve: () => void; readonly seen: () => void }[] = []
  readonly #seen = new Map<string, () => void>()

  constructor(address: string) {
    this.#client = clientOf<WatchClient>('Watch', address)
    this.#call = this.#client.watch()
    this.#call.on('data', (response: WatchResponse) => this.#receive(response))
    // It ends with the driver: that is no failure of the benchmark.
    this.#call.on('error', () => undefined)
  }

  add(key: string, seen: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#created.push({ resolve, seen })
      this.#call.write({ create_request: { key: Buffer.from(key) } })
    })
  }

  close(): void {
    this.#call.cancel()
    this.#client.close()
  }

  #receive(response: WatchResponse): void {
    const waiting = response.created ? this.#created.shift() : undefined
    if (waiting !== undefined) {
      this.#seen.set(response.watch_id, waiting.seen)
      waiting.resolve()
    }
    if (response.events.length > 0) this.#seen.get(response.watch_id)?.()
  }
}

function clientOf<Client>(service: keyof typeof services, address: string): Client {
  const client: unknown = new services[service](address, credentials.createInsecure(), channelOptions)
  return client as Client
}

function call<Request, Reply>(
  client: object,
  method: Unary<Request, Reply>,
  request: Request,
  deadlineMs: number,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    method.call(client, request, { deadline: Date.now() + deadlineMs }, (error, reply) => {
      if (error === null) resolve(reply)
      else reject(error)
    })
  })
}
