import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import {
  type CommandResult,
  type Connection,
  type HttpProbe,
  type HttpProbeReply,
  type Listener,
  type Network,
  type ProbeOptions,
  type Probes,
  probeTextBytesMax,
  type World,
} from '../../contracts/world.ts'
import type { SimulatedLoop } from './simulated-loop.ts'

/** What a program of a simulated machine does, and how long it takes (default 1 ms). Undefined: there is no such program. */
export type SimulatedCommands = (
  argv: readonly string[],
) => (CommandResult & { readonly takesMs?: number }) | undefined

/** Probes over the simulated network. HTTP is one frame with the request and one with the answer: {@link answerHttp} is its server. */
export class ProbePort implements Probes {
  readonly #loop: SimulatedLoop
  readonly #network: Network
  readonly #commands: SimulatedCommands

  constructor(loop: SimulatedLoop, network: Network, commands: SimulatedCommands) {
    this.#loop = loop
    this.#network = network
    this.#commands = commands
  }

  async tcp(address: string, options: ProbeOptions): Promise<void> {
    const connection = await this.#network.connect(address, options)
    connection.close()
  }

  async http(request: HttpProbe, options: ProbeOptions): Promise<HttpProbeReply> {
    const url = URL.canParse(request.url) ? new URL(request.url) : undefined
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
      throw invalidArgument('url', request.url, "of the form 'http://HOST:PORT/PATH' or 'https://...'")
    }
    const port = url.port === '' ? { 'http:': 80, 'https:': 443 }[url.protocol] : url.port
    const connection = await this.#network.connect(`${url.hostname}:${port}`, options)
    return this.#limited(request.url, options, (resolve, reject) => {
      connection.handle({
        frame: (frame) => {
          const { status, text } = JSON.parse(textFromBytes(frame)) as HttpProbeReply
          resolve({ status, text: text.slice(0, probeTextBytesMax) })
        },
        closed: (cause) => reject(new AlthingError('unavailable', `${request.url}: closed`, { cause })),
      })
      connection.send(bytesFromText(JSON.stringify({ method: 'GET', ...request })))
      return () => connection.close()
    })
  }

  async command(argv: readonly [string, ...string[]], options: ProbeOptions): Promise<CommandResult> {
    const result = this.#commands(argv)
    if (result === undefined) throw new AlthingError('not-found', `${argv[0]}: no such program`)
    return this.#limited(argv[0], options, (resolve) => {
      const { takesMs = 1, exitCode, output } = result
      return this.#loop.simulation.after(takesMs, () => {
        this.#loop.dispatch('command', this, argv[0], () => resolve({ exitCode, output }))
      })
    })
  }

  #limited<T>(
    what: string,
    { timeoutMs, signal }: ProbeOptions,
    start: (resolve: (value: T) => void, reject: (error: AlthingError) => void) => () => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let isOver = false
      const end = (settle: () => void): void => {
        if (isOver) return
        isOver = true
        cancel()
        signal?.removeEventListener('abort', onAbort)
        this.#loop.unref()
        settle()
        stop()
      }
      const onAbort = (): void =>
        end(() => reject(new AlthingError('aborted', `${what}: given up by the caller`)))
      const cancel = this.#loop.simulation.after(timeoutMs, () => {
        this.#loop.dispatch('probe', this, 'timeout', () => {
          end(() => reject(new AlthingError('timeout', `${what}: no answer within ${timeoutMs} ms`)))
        })
      })
      this.#loop.ref()
      signal?.addEventListener('abort', onAbort, { once: true })
      const stop = start(
        (value) => end(() => resolve(value)),
        (error) => end(() => reject(error)),
      )
      if (signal?.aborted === true) onAbort()
    })
  }
}

/** Answers the HTTP probes of simulated machines on `host:port`. A handler that throws, or never ends, lets the probe wait. */
export function answerHttp(
  world: World,
  address: string,
  handler: (request: HttpProbe) => HttpProbeReply | Promise<HttpProbeReply>,
): Promise<Listener> {
  const answer = async (connection: Connection, frame: Uint8Array): Promise<void> => {
    const reply = await handler(JSON.parse(textFromBytes(frame)) as HttpProbe)
    connection.send(bytesFromText(JSON.stringify(reply)))
  }
  return world.network.listen(address, (connection) => {
    connection.handle({
      frame: (frame) => void answer(connection, frame).catch(() => {}),
      closed: () => {},
    })
  })
}
