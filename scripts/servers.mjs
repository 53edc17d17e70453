// The outside programs that some tests and benchmarks drive: found on PATH, or installed from Debian's packages where this
// process may.
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { capture } from './run.mjs'

export const programs = [
  { command: 'etcd', debianPackage: 'etcd-server', for: 'etcd, as an engine and as a peer' },
  {
    command: 'postgres',
    debianPackage: 'postgresql',
    within: '/usr/lib/postgresql',
    for: 'PostgreSQL, as an engine',
  },
  { command: 'redis-server', debianPackage: 'redis-server', for: 'Redis, as an engine' },
  {
    command: 'h2load',
    debianPackage: 'nghttp2-client',
    for: 'etcd through a native client, and the HTTP API, in benchmarks',
  },
  { command: 'nats-server', debianPackage: 'nats-server', for: 'NATS JetStream, as an engine and as a peer' },
  { command: 'chromium', debianPackage: 'chromium', for: 'the console in a browser' },
]

export function isOnPath(command) {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Some packages keep their programs off PATH, in a folder for each version: `/usr/lib/postgresql/15/bin`. */
function isInstalled({ command, within }) {
  if (isOnPath(command)) return true
  if (within === undefined || !existsSync(within)) return false
  return readdirSync(within).some((version) => existsSync(path.join(within, version, 'bin', command)))
}

/** Installs what is missing when this process is root on a Debian. Resolves with the programs that are still missing. */
export async function provide(wanted) {
  const missing = wanted.filter((program) => !isInstalled(program))
  if (missing.length === 0 || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return missing
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  await capture('apt-get', ['update', '-qq'], options)
  const packages = missing.map((program) => program.debianPackage)
  await capture('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...packages], options)
  return missing.filter((program) => !isInstalled(program))
}
