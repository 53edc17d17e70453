import { AlthingError } from '../../contracts/errors.ts'
import type { ConnectOptions, Connection } from '../../contracts/world.ts'
import { drawDelayUs } from './network-links.ts'
import { type SideOptions, SimulatedConnection } from './simulated-connection.ts'
import type { SimulatedLoop } from './simulated-loop.ts'
import type { ListeningSocket, SimulatedNetwork } from './simulated-network.ts'

const timeoutMsDefault = 5_000
const firstRetryUs = 1_000_000

/** One attempt to connect: the hand-shake's request is sent again after 1, 2, 4 … s until it is answered or the time is over. */
export class ConnectAttempt {
  readonly connection: Promise<Connection>
  readonly #loop: SimulatedLoop
  readonly #network: SimulatedNetwork
  readonly #fromHost: string
  readonly #toHost: string
  readonly #address: string
  readonly #options: ConnectOptions
  #resolve!: (connection: Connection) => void
  #reject!: (error: unknown) => void
  #isOver = false
  #isAnswered = false
  #cancelTimeout: () => void = () => {}
  readonly #onAbort = (): void => this.#fail(this.#aborted())

  constructor(
    loop: SimulatedLoop,
    network: SimulatedNetwork,
    fromHost: string,
    toHost: string,
    address: string,
    options: ConnectOptions,
  ) {
    this.#loop = loop
    this.#network = network
    this.#fromHost = fromHost
    this.#toHost = toHost
    this.#address = address
    this.#options = options
    loop.ref()
    this.connection = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (options.signal?.aborted === true) this.#fail(this.#aborted())
    else this.#begin()
  }

  #begin(): void {
    const timeoutMs = this.#options.timeoutMs ?? timeoutMsDefault
    this.#options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#cancelTimeout = this.#loop.simulation.after(timeoutMs, () => {
      this.#loop.dispatch('connect', this, 'timeout', () => {
        this.#fail(new AlthingError('timeout', `no answer from ${this.#address} within ${timeoutMs} ms`))
      })
    })
    this.#request(firstRetryUs)
  }

  #request(retryUs: number): void {
    const { simulation } = this.#loop
    const link = this.#network.link(this.#fromHost, this.#toHost)
    simulation.schedule(drawDelayUs(link, this.#network.random), () => {
      const isLost = link.isBlocked || this.#network.random.chance(link.lossRate)
      if (!this.#isOver && !isLost) this.#arrive()
    })
    simulation.schedule(retryUs, () => {
      if (!this.#isOver && !this.#isAnswered && !this.#loop.isEnded) this.#request(2 * retryUs)
    })
  }

  /** The request is at the other machine. */
  #arrive(): void {
    const network = this.#network
    const back = network.link(this.#toHost, this.#fromHost)
    const isUnanswered =
      back.isBlocked || network.isDark(this.#toHost) || network.random.chance(back.lossRate)
    if (isUnanswered || this.#isAnswered || this.#loop.isEnded) return
    this.#isAnswered = true
    const answerUs = drawDelayUs(back, network.random)
    const socket = network.socketAt(this.#address, this.#toHost)
    const client = socket === undefined ? undefined : this.#establish(socket, answerUs)
    this.#loop.dispatchAfter(answerUs, 'connect', client ?? this, () => {
      if (client === undefined)
        this.#fail(
          new AlthingError('unavailable', `connection to ${this.#address} refused`, {
            details: { isRefused: true },
          }),
        )
      else this.#succeed(client)
    })
  }

  #establish(socket: ListeningSocket, answerUs: number): SimulatedConnection | undefined {
    const network = this.#network
    const delivery = this.#options.delivery ?? 'stream'
    const clientOptions: SideOptions = {
      localHost: this.#fromHost,
      remoteHost: this.#toHost,
      remoteAddress: this.#address,
      delivery,
    }
    const serverOptions: SideOptions = {
      localHost: this.#toHost,
      remoteHost: this.#fromHost,
      remoteAddress: `${this.#fromHost}:${network.freePort(this.#fromHost)}`,
      delivery,
    }
    const client = new SimulatedConnection(this.#loop, network, clientOptions)
    const server = new SimulatedConnection(socket.loop, network, serverOptions)
    client.join(server, 0)
    server.join(client, this.#loop.simulation.nowUs + answerUs)
    network.add(client, server)
    if (socket.accept(server)) return client
    server.close()
    client.close()
    return undefined
  }

  #succeed(client: SimulatedConnection): void {
    if (this.#isOver) {
      client.close()
      return
    }
    this.#end()
    this.#resolve(client)
  }

  #fail(error: AlthingError): void {
    if (this.#isOver) return
    this.#end()
    this.#reject(error)
  }

  #end(): void {
    this.#isOver = true
    this.#cancelTimeout()
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#loop.unref()
  }

  #aborted(): AlthingError {
    return new AlthingError('aborted', `connecting to ${this.#address} was aborted`, {
      cause: this.#options.signal?.reason,
    })
  }
}
