import { AlthingError } from '../../contracts/errors.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { Endpoint } from './endpoint.ts'
import type { GrpcCredentials, GrpcLibrary } from './grpc-library.ts'

/** How a client's connections are secured: the contents of PEM files. */
export interface EtcdTls {
  /** Default: the authorities that Node.js knows. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** Name expected in the certificates of members, in place of the host dialled. */
  readonly serverName?: string
}

const avoidMs = 2_000
const connectTimeoutMs = 2_000

/** The members that a client knows. All are kept connected; one is asked as long as it answers. */
export class Endpoints {
  readonly all: readonly Endpoint[]
  readonly #world: World
  #current: Endpoint
  #connecting: Promise<Endpoint> | undefined
  #isClosed = false

  constructor(world: World, grpc: GrpcLibrary, addresses: readonly string[], tls: EtcdTls | undefined) {
    this.#world = world
    const credentials = credentialsOf(grpc, tls)
    this.all = addresses.map(
      (address) => new Endpoint(world, grpc, { address, credentials, serverName: tls?.serverName }),
    )
    // Clients that are given the same list do not all go to the first.
    this.#current = this.all[world.random.integer(0, this.all.length - 1)] as Endpoint
  }

  /** A connected member; `undefined` when none is. */
  ready(): Endpoint | undefined {
    const nowMs = this.#world.clock.monotonicMs()
    if (this.#current.isReady && this.#current.avoidedUntilMs <= nowMs) return this.#current
    const candidates = this.all.filter((endpoint) => endpoint.isReady)
    const best = candidates.find((endpoint) => endpoint.avoidedUntilMs <= nowMs) ?? candidates[0]
    if (best !== undefined) this.#current = best
    return best
  }

  /** Shared by all who wait. Rejects with `unavailable`, outcome `none`, when no member can be reached. */
  connect(): Promise<Endpoint> {
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined))
    return this.#connecting
  }

  /** It refused, or broke off: the others are asked first for a while. */
  avoid(endpoint: Endpoint): void {
    endpoint.avoidedUntilMs = this.#world.clock.monotonicMs() + avoidMs
  }

  /** It is silent: the connection may be dead. */
  distrust(endpoint: Endpoint): void {
    this.avoid(endpoint)
    endpoint.reconnect()
  }

  /** What there is to say while no member can be reached. Nothing has been sent. */
  unreachable(): AlthingError {
    if (this.#isClosed) return new AlthingError('closed', 'the store has been closed', { outcome: 'none' })
    const addresses = this.all.map(({ address }) => address)
    return new AlthingError('unavailable', `no member of etcd can be reached at ${addresses.join(', ')}`, {
      outcome: 'none',
      details: { addresses },
    })
  }

  close(): void {
    this.#isClosed = true
    for (const endpoint of this.all) endpoint.close()
  }

  #connect(): Promise<Endpoint> {
    const ready = this.ready()
    if (ready !== undefined) return Promise.resolve(ready)
    return new Promise((resolve, reject) => {
      const stops: (() => void)[] = []
      let timer: Timer | undefined
      const finish = (): void => {
        timer?.cancel()
        for (const stop of stops) stop()
      }
      timer = this.#world.timers.after(connectTimeoutMs, () => {
        finish()
        reject(this.unreachable())
      })
      for (const endpoint of this.all) {
        stops.push(
          endpoint.onReady(() => {
            finish()
            this.#current = endpoint
            resolve(endpoint)
          }),
        )
      }
    })
  }
}

function credentialsOf(grpc: GrpcLibrary, tls: EtcdTls | undefined): GrpcCredentials {
  if (tls === undefined) return grpc.credentials.createInsecure()
  const { ca, cert, key } = tls
  return grpc.credentials.createSsl(pem(ca), pem(key), pem(cert))
}

function pem(text: string | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text)
}
