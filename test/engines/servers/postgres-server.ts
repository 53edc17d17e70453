import { execFileSync } from 'node:child_process'
import { chownSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { freePorts } from '../../../src/node/free-ports.ts'
import { isOnPath } from './is-on-path.ts'
import { eventually, type RunAs, ServerProcess, temporaryFolder } from './server-process.ts'

const readyWithinMs = 60_000
const debianFolder = '/usr/lib/postgresql'

/** `undefined` where a real PostgreSQL can be started. */
export function postgresUnavailable(): string | undefined {
  if (binaryFolder() === undefined)
    return 'PostgreSQL is neither on PATH nor where Debian has it (package postgresql-15; npm test installs it as root)'
  if (process.getuid?.() === 0 && accountOf('postgres') === undefined)
    return 'PostgreSQL refuses to run as root, and there is no account postgres to run it as'
  return undefined
}

/** A real PostgreSQL on a free port of 127.0.0.1, with its data in a folder of its own. */
export class PostgresServer {
  /** `host:port` */
  readonly address: string
  readonly #process: ServerProcess
  readonly #removeData: () => void

  private constructor(server: ServerProcess, address: string, removeData: () => void) {
    this.#process = server
    this.address = address
    this.#removeData = removeData
  }

  /** `settings` are those of `postgresql.conf`; the rest are its defaults. Resolves when it answers a query. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
    const folder = temporaryFolder('postgres')
    const [port] = (await freePorts(1)) as [number]
    const as = runAs(folder.path)
    const binaries = binaryFolder() as string
    const data = path.join(folder.path, 'data')
    execFileSync(
      path.join(binaries, 'initdb'),
      [
        '-D',
        data,
        '-U',
        'postgres',
        '-A',
        'trust',
        '-E',
        'UTF8',
        '--locale=C.UTF-8',
        '--no-sync',
        '--no-instructions',
      ],
      { ...as, stdio: 'pipe' },
    )
    const all = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '200',
      ...settings,
    }
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const server = new ServerProcess(
      path.join(binaries, 'postgres'),
      ['-D', data, '-p', String(port), ...flags],
      as,
    )
    const started = new PostgresServer(server, `127.0.0.1:${port}`, folder.remove)
    await started.#serve()
    return started
  }

  get url(): string {
    return urlAt(this.address)
  }

  /** One statement by a connection of its own. */
  async query(text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 5_000 })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return ((await client.query(text)) as { readonly rows: readonly Readonly<Record<string, unknown>>[] })
        .rows
    } finally {
      await client.end()
    }
  }

  /** SIGKILL to the server and all that it has started, as when the machine stops. */
  async kill(): Promise<void> {
    const started = this.#workers()
    const gone = this.#process.kill()
    for (const pid of started) signal(pid, 'SIGKILL')
    await gone
  }

  /** SIGKILL to one process that serves a client: the server then starts all of them anew, and recovers, by itself. */
  async killBackend(): Promise<void> {
    const [row] = await this.query(
      `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1`,
    )
    if (typeof row?.['pid'] === 'number') signal(row['pid'], 'SIGKILL')
    await this.#answers()
  }

  /** On the same data and port; resolves when it answers a query. */
  async restart(): Promise<void> {
    await this.#serve()
  }

  /** Resolves when none of its processes moves any more. */
  async pause(): Promise<void> {
    await this.#process.pause()
    for (const pid of this.#workers()) signal(pid, 'SIGSTOP')
  }

  resume(): void {
    for (const pid of this.#workers()) signal(pid, 'SIGCONT')
    this.#process.resume()
  }

  async stop(): Promise<void> {
    await this.kill()
    this.#removeData()
  }

  async #serve(): Promise<void> {
    try {
      await eventually('PostgreSQL starts', readyWithinMs, async () => {
        if (!this.#process.isRunning) this.#process.start()
        await this.query('select 1')
      })
    } catch (error) {
      throw new Error(`PostgreSQL did not start:\n${this.#process.log}`, { cause: error })
    }
  }

  async #answers(): Promise<void> {
    await eventually('PostgreSQL answers', readyWithinMs, () => this.query('select 1'))
  }

  #workers(): readonly number[] {
    const { pid } = this.#process
    if (pid === undefined) return []
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
    } catch {
      return []
    }
  }
}

export function urlAt(address: string): string {
  return `postgres://postgres@${address}/postgres`
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself.
  }
}

function binaryFolder(): string | undefined {
  if (isOnPath('postgres') && isOnPath('initdb')) return ''
  try {
    const versions = readdirSync(debianFolder).sort((a, b) => Number(b) - Number(a))
    return versions.length === 0 ? undefined : path.join(debianFolder, versions[0] as string, 'bin')
  } catch {
    return undefined
  }
}

function runAs(folder: string): RunAs {
  if (process.getuid?.() !== 0) return { cwd: folder }
  const account = accountOf('postgres') as { uid: number; gid: number }
  chownSync(folder, account.uid, account.gid)
  return { ...account, cwd: folder }
}

function accountOf(name: string): { readonly uid: number; readonly gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}
