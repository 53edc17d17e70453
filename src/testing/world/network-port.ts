import { AlthingError } from '../../contracts/errors.ts'
import type { ConnectOptions, Connection, Listener, Network } from '../../contracts/world.ts'
import { ConnectAttempt } from './connect-attempt.ts'
import { machineAddress } from './machine-address.ts'
import { SimulatedConnection } from './simulated-connection.ts'
import type { SimulatedLoop } from './simulated-loop.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

/** How many connections may wait for a process that does not accept them. */
const backlogMax = 511

/** The network as one loop of a process sees it. */
export class NetworkPort implements Network {
  readonly #loop: SimulatedLoop
  readonly #network: SimulatedNetwork
  readonly #host: string

  constructor(loop: SimulatedLoop, network: SimulatedNetwork, host: string) {
    this.#loop = loop
    this.#network = network
    this.#host = host
  }

  async listen(address: string, accept: (connection: Connection) => void): Promise<Listener> {
    const { host, port } = machineAddress(address, this.#host)
    const bound = port === 0 ? this.#network.freePort(host) : port
    const listener = new SimulatedListener(this.#loop, this.#network, `${host}:${bound}`, accept)
    return this.#soon((resolve, reject) => {
      const isFree = host === this.#host && this.#network.listen(listener.address, listener)
      if (!isFree)
        reject(
          new AlthingError(
            'unavailable',
            `cannot listen on ${address}: the address is taken or not of this machine`,
          ),
        )
      else resolve(listener.opened())
    })
  }

  async connect(address: string, options: ConnectOptions = {}): Promise<Connection> {
    const { host, port } = machineAddress(address, this.#host)
    if (this.#loop.isEnded) return new Promise(() => {})
    return new ConnectAttempt(this.#loop, this.#network, this.#host, host, `${host}:${port}`, options)
      .connection
  }

  #soon<T>(act: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void): Promise<T> {
    if (this.#loop.isEnded) return new Promise(() => {})
    this.#loop.ref()
    return new Promise((resolve, reject) => {
      this.#loop.dispatchAfter(10, 'listen', this, () => {
        this.#loop.unref()
        act(resolve, reject)
      })
    })
  }
}

class SimulatedListener implements Listener {
  readonly address: string
  readonly loop: SimulatedLoop
  readonly #network: SimulatedNetwork
  readonly #accept: (connection: Connection) => void
  readonly #accepted = new Set<SimulatedConnection>()
  #waitingCount = 0
  #isClosed = false
  #forgetEnd: () => unknown = () => {}

  constructor(
    loop: SimulatedLoop,
    network: SimulatedNetwork,
    address: string,
    accept: (connection: Connection) => void,
  ) {
    this.loop = loop
    this.#network = network
    this.address = address
    this.#accept = accept
  }

  opened(): this {
    this.loop.ref()
    this.#forgetEnd = this.loop.onEnd(() => this.#network.unlisten(this.address))
    return this
  }

  accept(connection: SimulatedConnection): boolean {
    if (this.#waitingCount >= backlogMax) return false
    this.#waitingCount++
    for (const known of this.#accepted) if (known.isClosed) this.#accepted.delete(known)
    this.#accepted.add(connection)
    // The connection's own lane: it is accepted before its first frame is delivered.
    this.loop.dispatch('accept', connection, connection.remoteAddress, () => {
      this.#waitingCount--
      if (!this.#isClosed) this.#accept(connection)
    })
    return true
  }

  close(): Promise<void> {
    if (this.loop.isEnded) return new Promise(() => {})
    if (!this.#isClosed) {
      this.#isClosed = true
      this.loop.unref()
      this.#forgetEnd()
      this.#network.unlisten(this.address)
      for (const connection of this.#accepted) connection.close()
    }
    return new Promise((resolve) => {
      this.loop.dispatchAfter(1, 'listen', this, resolve)
    })
  }
}
