import { spawn } from 'node:child_process'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import {
  type CommandResult,
  type HttpProbe,
  type HttpProbeReply,
  type ProbeOptions,
  type Probes,
  probeTextBytesMax,
} from '../contracts/world.ts'
import { parseAddress } from './address.ts'

export class NodeProbes implements Probes {
  async tcp(address: string, options: ProbeOptions): Promise<void> {
    const { host, port } = parseAddress(address)
    await limited<void>(address, options, (resolve, reject) => {
      const socket = net.connect({ host, port })
      socket.once('connect', () => resolve())
      socket.on('error', (cause) => reject(unavailable(address, cause)))
      return () => socket.destroy()
    })
  }

  async http(request: HttpProbe, options: ProbeOptions): Promise<HttpProbeReply> {
    const url = httpUrl(request.url)
    return limited<HttpProbeReply>(request.url, options, (resolve, reject) => {
      const client = url.protocol === 'https:' ? https : http
      const { method = 'GET', headers = {} } = request
      const asked = client.request(url, {
        method,
        headers: { 'user-agent': 'althing', ...headers },
        agent: false,
      })
      asked.on('response', (response) => {
        const text = new HeadOfText()
        response.on('data', (chunk: Buffer) => text.add(chunk))
        response.on('error', (cause) => reject(unavailable(request.url, cause)))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: text.text }))
      })
      asked.on('error', (cause) => reject(unavailable(request.url, cause)))
      asked.end()
      return () => asked.destroy()
    })
  }

  async command(argv: readonly [string, ...string[]], options: ProbeOptions): Promise<CommandResult> {
    const [program, ...args] = argv
    return limited<CommandResult>(program, options, (resolve, reject) => {
      const child = spawn(program, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
        // A process group of its own, so that what it starts ends with it.
        detached: true,
      })
      const text = new HeadOfText()
      child.stdout.on('data', (chunk: Buffer) => text.add(chunk))
      child.stderr.on('data', (chunk: Buffer) => text.add(chunk))
      child.once('error', (cause) => {
        reject(new AlthingError('not-found', `${program} cannot be started: ${cause.message}`, { cause }))
      })
      child.once('close', (code) => resolve({ exitCode: code ?? undefined, output: text.text }))
      return () => killGroup(child.pid)
    })
  }
}

/** Settles as `start` does, at the latest after the time-out; what `start` returns is called in the end, whatever it was. */
function limited<T>(
  what: string,
  { timeoutMs, signal }: ProbeOptions,
  start: (resolve: (value: T) => void, reject: (error: AlthingError) => void) => () => unknown,
): Promise<T> {
  const aborted = (): AlthingError =>
    new AlthingError('aborted', `${what}: given up by the caller`, { cause: signal?.reason })
  if (signal?.aborted === true) return Promise.reject(aborted())
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      settle()
      stop()
    }
    const fail = (error: AlthingError): void => end(() => reject(error))
    const onAbort = (): void => fail(aborted())
    const timer = setTimeout(() => {
      fail(new AlthingError('timeout', `${what}: no answer within ${timeoutMs} ms`))
    }, timeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    const stop = start((value) => end(() => resolve(value)), fail)
  })
}

/** The beginning of what comes, and no more. */
class HeadOfText {
  readonly #chunks: Buffer[] = []
  #byteCount = 0

  add(chunk: Buffer): void {
    const kept = chunk.subarray(0, probeTextBytesMax - this.#byteCount)
    if (kept.byteLength === 0) return
    this.#byteCount += kept.byteLength
    this.#chunks.push(kept)
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8')
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended, with all its children.
  }
}

function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol)) return url
  throw invalidArgument('url', text, "of the form 'http://HOST:PORT/PATH' or 'https://...'")
}

function unavailable(what: string, cause: Error): AlthingError {
  const reason = cause.message === '' ? ((cause as NodeJS.ErrnoException).code ?? cause.name) : cause.message
  return new AlthingError('unavailable', `${what}: ${reason}`, { cause })
}
