import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/**
 * Stands between a client and a server, byte for byte, and does to their connections what networks do:
 *
 *     client ── proxy.address ── TcpProxy ── target
 */
export class TcpProxy {
  readonly address: string
  /** Where new connections lead: as when an address passes to another machine. */
  target: string
  /** Each piece of a stream is held up for so long. */
  delayMs = 0
  /** Bytes that the server has sent, and clients have been passed. */
  bytesToClients = 0
  /** 0: no bound. */
  bytesPerSecond = 0
  /** New connections are broken off at once. */
  refuses = false
  /** Connections that begin with something in which this text occurs are broken off. */
  refusesText: string | undefined
  readonly #server: Server
  readonly #pairs = new Set<Pair>()

  private constructor(server: Server, target: string) {
    this.#server = server
    this.target = target
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(target: string): Promise<TcpProxy> {
    const server = createServer((client) => {
      const split = proxy.target.lastIndexOf(':')
      const host = proxy.target.slice(0, split)
      proxy.#accept(client, connect({ host, port: Number(proxy.target.slice(split + 1)) }))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new TcpProxy(server, target)
    return proxy
  }

  get connections(): number {
    return this.#pairs.size
  }

  /** Breaks off every connection there is: both sides see it at once. */
  drop(): void {
    for (const pair of this.#pairs) pair.destroy()
  }

  /**
   * Each connection there is stays open on both sides and carries nothing any more, for ever: as when the other machine has lost its power, or a firewall has
   * forgotten the connection. New ones are not concerned.
   */
  leaveHalfOpen(): void {
    for (const pair of this.#pairs) pair.swallow()
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.drop()
    await closed
  }

  #accept(client: Socket, server: Socket): void {
    // Before it is passed on.
    client.once('data', (piece: Buffer) => {
      if (this.refusesText !== undefined && piece.includes(this.refusesText)) pair.destroy()
    })
    const pair = new Pair(this, client, server, () => this.#pairs.delete(pair))
    this.#pairs.add(pair)
    if (this.refuses) pair.destroy()
  }
}

class Pair {
  readonly #sockets: readonly Socket[]
  readonly #over: () => void
  #swallows = false

  constructor(proxy: TcpProxy, client: Socket, server: Socket, over: () => void) {
    this.#sockets = [client, server]
    this.#over = over
    this.#pump(proxy, client, server)
    server.on('data', (piece: Buffer) => {
      proxy.bytesToClients += piece.byteLength
    })
    this.#pump(proxy, server, client)
  }

  swallow(): void {
    this.#swallows = true
  }

  destroy(): void {
    this.#over()
    for (const socket of this.#sockets) socket.destroy()
  }

  #pump(proxy: TcpProxy, from: Socket, to: Socket): void {
    from.setNoDelay(true)
    from.on('data', (piece: Buffer) => {
      if (this.#swallows) return
      const transferMs = proxy.bytesPerSecond === 0 ? 0 : (piece.byteLength / proxy.bytesPerSecond) * 1_000
      const heldMs = proxy.delayMs + transferMs
      if (heldMs === 0) {
        if (!to.write(piece)) this.#pauseUntilDrained(from, to)
        return
      }
      from.pause()
      setTimeout(() => {
        if (!this.#swallows) to.write(piece)
        from.resume()
      }, heldMs)
    })
    // A connection that swallows hides from either side that the other has gone.
    from.on('close', () => {
      if (!this.#swallows) this.destroy()
    })
    from.on('error', () => undefined)
  }

  #pauseUntilDrained(from: Socket, to: Socket): void {
    from.pause()
    to.once('drain', () => from.resume())
  }
}
