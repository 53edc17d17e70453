import { credentials, type ServiceClientConstructor } from '@grpc/grpc-js'
import { etcdPackages, type Unary } from '../peers/etcd-protocol.ts'
import type { LockDriver } from './lock-driver.ts'

interface LockClient {
  readonly lock: Unary<{ readonly name: Uint8Array; readonly lease: string }, { readonly key: Uint8Array }>
  readonly unlock: Unary<{ readonly key: Uint8Array }, unknown>
  close(): void
}

interface LeaseClient {
  readonly leaseGrant: Unary<{ readonly TTL: number }, { readonly ID: string }>
  readonly leaseRevoke: Unary<{ readonly ID: string }, unknown>
  close(): void
}

const packages = etcdPackages([new URL('./etcd-lock.proto', import.meta.url)]) as unknown as {
  readonly v3lockpb: { readonly Lock: ServiceClientConstructor }
  readonly etcdserverpb: { readonly Lease: ServiceClientConstructor }
}

/** Each channel has a connection of its own. */
const channelOptions = { 'grpc.use_local_subchannel_pool': 1 }
const callMs = 60_000
/** In seconds: longer than a measurement, so that no renewal is in it. */
const sessionTtl = 3_600

/** etcd's own lock service. Each client has a lease of its own for all its locks, as a session of etcd's libraries has. */
export class EtcdLocks implements LockDriver {
  readonly #locks: LockClient
  readonly #leases: LeaseClient
  readonly #sessions: readonly string[]

  private constructor(locks: LockClient, leases: LeaseClient, sessions: readonly string[]) {
    this.#locks = locks
    this.#leases = leases
    this.#sessions = sessions
  }

  static async open(address: string, clients: number): Promise<EtcdLocks> {
    const plain = credentials.createInsecure()
    const locks = new packages.v3lockpb.Lock(address, plain, channelOptions) as unknown as LockClient
    const leases = new packages.etcdserverpb.Lease(address, plain, channelOptions) as unknown as LeaseClient
    const sessions = Array.from({ length: clients }, async () => {
      const { ID } = await call(leases, leases.leaseGrant, { TTL: sessionTtl })
      return ID
    })
    return new EtcdLocks(locks, leases, await Promise.all(sessions))
  }

  async acquire(client: number, name: string): Promise<() => Promise<unknown>> {
    const lease = this.#sessions[client] as string
    const { key } = await call(this.#locks, this.#locks.lock, { name: Buffer.from(name), lease })
    return () => call(this.#locks, this.#locks.unlock, { key })
  }

  async close(): Promise<void> {
    for (const ID of this.#sessions) await call(this.#leases, this.#leases.leaseRevoke, { ID })
    this.#locks.close()
    this.#leases.close()
  }
}

function call<Request, Reply>(
  client: object,
  method: Unary<Request, Reply>,
  request: Request,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    method.call(client, request, { deadline: Date.now() + callMs }, (error, reply) => {
      if (error === null) resolve(reply)
      else reject(error)
    })
  })
}
