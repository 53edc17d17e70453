import { loadOptionalPackage } from '../optional-package.ts'

/** What the engine needs of the package `pg`, or of a pool that a user brings. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
  end(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'connect', listener: (client: PostgresClient) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'connect', listener: (client: PostgresClient) => void): unknown
  readonly options?: { readonly max?: number }
  /** How many wait for a connection. */
  readonly waitingCount?: number
}

export interface PostgresClient {
  query(config: QueryConfig): Promise<{ readonly rows: readonly Row[] }>
  on(event: 'error' | 'end' | 'notification', listener: (argument: unknown) => void): unknown
  removeListener(event: 'error' | 'end' | 'notification', listener: (argument: unknown) => void): unknown
  /** Gives the connection back; with an error, or `true`, it is closed. */
  release(destroy?: Error | boolean): void
}

export interface QueryConfig {
  readonly text: string
  readonly values?: readonly unknown[]
  /** Prepared under this name on each connection. */
  readonly name?: string
  readonly types?: { getTypeParser(oid: number, format?: string): (text: string) => unknown }
}

export type Row = Readonly<Record<string, unknown>>

/** The configuration of `pg`: connection string, host, TLS, ... */
export type PostgresConfig = Readonly<Record<string, unknown>>

interface Library {
  readonly Pool: new (config: PostgresConfig) => PostgresPool
}

/** Rejects with `not-found` and how to install the package. */
export async function loadPostgresLibrary(): Promise<Library> {
  return await loadOptionalPackage<Library>(
    'pg',
    '8.23.1',
    'the engine of PostgreSQL',
    async () => (await import('pg')) as unknown as Library,
  )
}

const boolean = 16
const bytes = 17
const integers: readonly number[] = [20, 21, 23]
const floats: readonly number[] = [700, 701, 1700]
const json: readonly number[] = [114, 3802]

/** Of our own, whatever parsers the application has set for the whole process. */
export const types: NonNullable<QueryConfig['types']> = {
  getTypeParser(oid) {
    if (oid === bytes) return parseBytes
    if (oid === boolean) return (text) => text === 't'
    if (integers.includes(oid) || floats.includes(oid)) return Number
    if (json.includes(oid)) return (text) => JSON.parse(text) as unknown
    return (text) => text
  },
}

/** Both forms of `bytea_output`: the server's setting is the user's. */
export function parseBytes(text: string): Buffer {
  if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex')
  const unescaped = text.replace(/\\(\\|[0-7]{3})/g, (_, escaped: string) =>
    escaped === '\\' ? '\\' : String.fromCharCode(Number.parseInt(escaped, 8)),
  )
  return Buffer.from(unescaped, 'latin1')
}
