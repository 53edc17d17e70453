import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { freePorts } from '../../../src/node/free-ports.ts'
import { isOnPath } from './is-on-path.ts'
import { TcpProxy } from './tcp-proxy.ts'
import { eventually, ServerProcess, temporaryFolder } from './server-process.ts'

const readyWithinMs = 60_000

/** `undefined` where a real etcd can be started. */
export function etcdUnavailable(): string | undefined {
  if (isOnPath('etcd')) return undefined
  return 'etcd is not on PATH (Debian package etcd-server; npm test installs it as root)'
}

/** Of the etcd on PATH; `0.0.0` where there is none. */
export function installedEtcdVersion(): string {
  if (etcdUnavailable() !== undefined) return '0.0.0'
  const text = execFileSync('etcd', ['--version'], { encoding: 'utf8' })
  return /etcd Version: (\S+)/.exec(text)?.[1] ?? '0.0.0'
}

/** Flags that make elections, and the shortest lease (1 s), as quick as a test wants them. What etcd does otherwise is left to its defaults. */
export const quickElections = {
  'heartbeat-interval': '50',
  'election-timeout': '500',
} as const

export interface EtcdServersOptions {
  readonly members: 1 | 3
  /** Further flags for every member; the rest are etcd's defaults. */
  readonly flags?: Readonly<Record<string, string>>
  /** The members reach each other through proxies, so that one can be cut off from the others: {@link EtcdServers.isolate}. */
  readonly canIsolate?: boolean
  /** Each member serves on a second port too, to clients that show a certificate of this authority. PEM files. */
  readonly tls?: { readonly caFile: string; readonly certFile: string; readonly keyFile: string }
}

export interface EtcdMemberStatus {
  readonly memberId: string
  readonly version: string
  /** Member id of the leader. */
  readonly leader: string
  readonly term: number
}

/** Real etcd servers on free ports of 127.0.0.1, with their data in a folder of their own. */
export class EtcdServers {
  /** `host:port` where each member serves clients. */
  readonly addresses: readonly string[]
  /** And over TLS, where that was asked for. */
  readonly securedAddresses: readonly string[]
  readonly version: string
  readonly #members: readonly ServerProcess[]
  /** In front of each member, for the others. */
  readonly #peerProxies: readonly TcpProxy[]
  readonly #removeData: () => void

  private constructor(
    parts: { readonly members: readonly ServerProcess[]; readonly peerProxies: readonly TcpProxy[] },
    addresses: { readonly plain: readonly string[]; readonly secured: readonly string[] },
    version: string,
    removeData: () => void,
  ) {
    this.#members = parts.members
    this.#peerProxies = parts.peerProxies
    this.addresses = addresses.plain
    this.securedAddresses = addresses.secured
    this.version = version
    this.#removeData = removeData
  }

  /** Resolves when every member has answered a read that goes through the quorum. */
  static async start(options: EtcdServersOptions): Promise<EtcdServers> {
    const { members: size, flags = {}, tls, canIsolate = false } = options
    const folder = temporaryFolder('etcd')
    const ports = (await freePorts(size * 3)).map((port) => `127.0.0.1:${port}`)
    const plain = ports.slice(0, size)
    const peers = ports.slice(size, size * 2)
    const peerProxies = canIsolate ? await Promise.all(peers.map((address) => TcpProxy.start(address))) : []
    const advertised = canIsolate ? peerProxies.map(({ address }) => address) : peers
    const secured = tls === undefined ? [] : ports.slice(size * 2)
    const members = plain.map((address, index) => {
      const own = memberFlags(index, address, { listening: peers, advertised }, folder.path)
      const forTls = tls === undefined ? {} : tlsFlags(address, secured[index] as string, tls)
      const all = Object.entries({ ...own, ...forTls, ...flags })
      return new ServerProcess(
        'etcd',
        all.map(([name, value]) => `--${name}=${value}`),
      )
    })
    for (const member of members) member.start()
    try {
      await Promise.all(plain.map(serves))
      const { version } = await statusOf(plain[0] as string)
      return new EtcdServers({ members, peerProxies }, { plain, secured }, version, folder.remove)
    } catch (error) {
      await Promise.all(members.map((member) => member.kill()))
      await Promise.all(peerProxies.map((proxy) => proxy.close()))
      folder.remove()
      throw new Error(`etcd did not start:\n${members.map((member) => member.log).join('\n')}`, {
        cause: error,
      })
    }
  }

  get pids(): readonly number[] {
    return this.#members.flatMap(({ pid }) => pid ?? [])
  }

  status(member: number): Promise<EtcdMemberStatus> {
    return statusOf(this.addresses[member] as string)
  }

  /** The member that says that it leads. */
  leader(): Promise<number> {
    return eventually('etcd has a leader', readyWithinMs, async () => {
      for (const [index, member] of this.#members.entries()) {
        if (!member.isRunning) continue
        const { leader, memberId } = await this.status(index)
        if (leader === memberId) return index
      }
      throw new Error('no member says that it leads')
    })
  }

  async kill(member: number): Promise<void> {
    await this.#members[member]?.kill()
  }

  /** On the same data and ports; resolves when the member answers. */
  async restart(member: number): Promise<void> {
    this.#members[member]?.start()
    await serves(this.addresses[member] as string)
  }

  async pause(member: number): Promise<void> {
    await this.#members[member]?.pause()
  }

  resume(member: number): void {
    this.#members[member]?.resume()
  }

  /** Cuts a member off from the others, as a network does; clients still reach it. */
  async isolate(member: number): Promise<void> {
    // etcd names the sender at the head of every connection between members.
    const { memberId } = await this.status(member)
    for (const [index, proxy] of this.#peerProxies.entries()) {
      if (index === member) proxy.refuses = true
      else proxy.refusesText = `X-Server-From: ${BigInt(memberId).toString(16)}`
      proxy.drop()
    }
  }

  /** Ends what {@link EtcdServers.isolate} began. */
  rejoin(): void {
    for (const proxy of this.#peerProxies) {
      proxy.refuses = false
      proxy.refusesText = undefined
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()))
    await Promise.all(this.#peerProxies.map((proxy) => proxy.close()))
    this.#removeData()
  }
}

/** `/health` is a read through the quorum: it answers well only when the member is in touch with a leader. */
async function serves(address: string): Promise<void> {
  await eventually(`etcd at ${address} serves`, readyWithinMs, async () => {
    const response = await fetch(`http://${address}/health`, { signal: AbortSignal.timeout(2_000) })
    const { health } = (await response.json()) as { readonly health?: unknown }
    if (health !== 'true') throw new Error(`health is ${String(health)}`)
  })
}

async function statusOf(address: string): Promise<EtcdMemberStatus> {
  const response = await fetch(`http://${address}/v3/maintenance/status`, {
    method: 'POST',
    body: '{}',
    signal: AbortSignal.timeout(2_000),
  })
  const status = (await response.json()) as Readonly<Record<string, unknown>>
  const { member_id: memberId } = (status['header'] ?? {}) as Readonly<Record<string, unknown>>
  const leader = String(status['leader'] ?? '0')
  if (leader === '0') throw new Error(`the member at ${address} knows no leader`)
  return {
    memberId: String(memberId),
    version: String(status['version']),
    leader,
    term: Number(status['raftTerm']),
  }
}

function memberFlags(
  index: number,
  address: string,
  peers: { readonly listening: readonly string[]; readonly advertised: readonly string[] },
  folder: string,
): Readonly<Record<string, string>> {
  return {
    name: `m${index}`,
    'data-dir': path.join(folder, `m${index}`),
    'listen-client-urls': `http://${address}`,
    'advertise-client-urls': `http://${address}`,
    'listen-peer-urls': `http://${peers.listening[index]}`,
    'initial-advertise-peer-urls': `http://${peers.advertised[index]}`,
    'initial-cluster': peers.advertised.map((peer, member) => `m${member}=http://${peer}`).join(','),
    'initial-cluster-state': 'new',
    logger: 'zap',
    'log-level': 'error',
  }
}

function tlsFlags(
  address: string,
  secured: string,
  { caFile, certFile, keyFile }: NonNullable<EtcdServersOptions['tls']>,
): Readonly<Record<string, string>> {
  return {
    'listen-client-urls': `http://${address},https://${secured}`,
    'client-cert-auth': 'true',
    'trusted-ca-file': caFile,
    'cert-file': certFile,
    'key-file': keyFile,
  }
}
