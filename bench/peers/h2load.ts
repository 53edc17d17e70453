import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { isOnPath } from '../../test/engines/servers/is-on-path.ts'

/** More connections than this only cost the server: the others share them as streams. */
const connectionsMax = 16

export interface NativeLoad {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly method?: 'GET' | 'PUT' | 'POST'
  /** Sent with every request: all requests are the same. */
  readonly body?: Uint8Array
  /** Requests under way at once. */
  readonly clients: number
  readonly seconds: number
  readonly warmupSeconds: number
  /** HTTP/1.1 with one request at a time on a connection, instead of HTTP/2 streams. */
  readonly http1?: boolean
}

export interface NativeReport {
  readonly requestsPerSecond: number
  readonly meanMs: number
}

export function h2loadUnavailable(): string | undefined {
  return isOnPath('h2load') ? undefined : 'h2load is not on PATH (Debian package nghttp2-client)'
}

/** Drives a server with nghttp2's load generator: a native client, whose own cost is next to nothing. */
export async function runH2load(load: NativeLoad): Promise<NativeReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'althing-bench-h2load-'))
  try {
    const body = path.join(folder, 'body')
    if (load.body !== undefined) writeFileSync(body, load.body)
    const args = argumentsOf(load, load.body === undefined ? undefined : body)
    const timeout = (load.seconds + load.warmupSeconds + 30) * 1_000
    const { stdout } = await promisify(execFile)('h2load', args, { timeout, killSignal: 'SIGKILL' })
    return reportFrom(stdout)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function argumentsOf(load: NativeLoad, bodyFile: string | undefined): string[] {
  const { url, headers, method, clients, seconds, warmupSeconds, http1 = false } = load
  const connections = http1 ? clients : Math.min(clients, connectionsMax)
  const fields = Object.entries({ ...headers, ...(method === undefined ? {} : { ':method': method }) })
  return [
    `--duration=${seconds}`,
    `--warm-up-time=${warmupSeconds}`,
    `--clients=${connections}`,
    `--max-concurrent-streams=${Math.ceil(clients / connections)}`,
    '--threads=1',
    ...(http1 ? ['--h1'] : []),
    ...(bodyFile === undefined ? [] : [`--data=${bodyFile}`]),
    ...fields.flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
    url,
  ]
}

/** Reads h2load's closing lines; throws with its output when any request failed, or none was made. */
export function reportFrom(output: string): NativeReport {
  const rate = /finished in .*?, ([\d.]+) req\/s/.exec(output)?.[1]
  const [, succeeded, failed] = /(\d+) succeeded, (\d+) failed/.exec(output) ?? []
  const [, mean, unit] = /time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)\b/.exec(output) ?? []
  const statuses = /status codes: (\d+) 2xx/.exec(output)?.[1]
  const isClean = Number(succeeded) > 0 && Number(failed) === 0 && statuses === succeeded
  if (rate === undefined || mean === undefined || !isClean)
    throw new Error(`h2load did not give a clean result:\n${output}`)
  const factor = unit === 'us' ? 0.001 : unit === 'ms' ? 1 : 1_000
  return { requestsPerSecond: Number(rate), meanMs: Number(mean) * factor }
}
