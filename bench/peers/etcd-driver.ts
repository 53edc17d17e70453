import { fileURLToPath } from 'node:url'
import {
  type CallOptions,
  type ClientUnaryCall,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { StoreDriver } from '../cluster.ts'

type Unary<Request, Reply> = (
  request: Request,
  options: CallOptions,
  callback: (error: ServiceError | null, reply: Reply) => void,
) => ClientUnaryCall

interface KvClient {
  readonly put: Unary<{ key: Uint8Array; value: Uint8Array }, unknown>
  readonly range: Unary<{ key: Uint8Array }, { kvs: readonly { value: Uint8Array }[] }>
  close(): void
}

export interface EtcdStatus {
  readonly header: { readonly member_id: string }
  readonly version: string
  /** Member id of the leader; `'0'` while there is none. */
  readonly leader: string
}

interface MaintenanceClient {
  readonly status: Unary<object, EtcdStatus>
  close(): void
}

const definition = loadSync(fileURLToPath(new URL('./etcd.proto', import.meta.url)), {
  keepCase: true,
  longs: String,
  defaults: true,
})
const services = loadPackageDefinition(definition)['etcdserverpb'] as unknown as Readonly<
  Record<'KV' | 'Maintenance', ServiceClientConstructor>
>

/** Each channel has a connection of its own. */
const channelOptions = { 'grpc.use_local_subchannel_pool': 1 }

/** etcd's store through its own interface, over `connections` connections to one member, used in turn. */
export class EtcdDriver implements StoreDriver {
  readonly #clients: readonly KvClient[]
  #next = 0

  constructor(address: string, connections = 1) {
    this.#clients = Array.from({ length: connections }, () => {
      const client: unknown = new services.KV(address, credentials.createInsecure(), channelOptions)
      return client as KvClient
    })
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

  async close(): Promise<void> {
    for (const client of this.#clients) client.close()
  }

  #client(): KvClient {
    this.#next = (this.#next + 1) % this.#clients.length
    return this.#clients[this.#next] as KvClient
  }
}

/** What the member at `address` says about itself and its leader. */
export async function etcdStatus(address: string, deadlineMs: number): Promise<EtcdStatus> {
  const made: unknown = new services.Maintenance(address, credentials.createInsecure(), channelOptions)
  const client = made as MaintenanceClient
  try {
    return await call(client, client.status, {}, deadlineMs)
  } finally {
    client.close()
  }
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
