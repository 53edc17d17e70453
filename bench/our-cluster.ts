import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { NodeClient } from 'althing/engines'
import { createNodeWorld } from 'althing/world'
import type { Cluster, Contender, LoadTarget, StoreDriver } from './cluster.ts'
import { freePorts } from '../src/node/free-ports.ts'
import { openOurs } from './our-driver.ts'
import { eventually, ServerProcess, temporaryFolder } from '../test/engines/servers/server-process.ts'

const size = 3
const readyWithinMs = 60_000
const probeKey = 'bench/probe'
const command = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))

/** Three of our nodes with their defaults, every write on the disks of a quorum before it is acknowledged. */
export const ourCluster: Contender = {
  name: 'althing',
  unavailable: () => (existsSync(command) ? undefined : 'this build has no node command'),
  start: () => OurCluster.start(),
}

class OurCluster implements Cluster {
  readonly size = size
  readonly description = `althing, ${size} members, defaults`
  readonly #members: readonly ServerProcess[]
  readonly #addresses: readonly string[]
  readonly #httpAddresses: readonly string[]
  readonly #removeData: () => void

  private constructor(
    members: readonly ServerProcess[],
    addresses: readonly string[],
    httpAddresses: readonly string[],
    removeData: () => void,
  ) {
    this.#members = members
    this.#addresses = addresses
    this.#httpAddresses = httpAddresses
    this.#removeData = removeData
  }

  static async start(): Promise<OurCluster> {
    const folder = temporaryFolder('althing')
    const all = (await freePorts(size * 2)).map((port) => `127.0.0.1:${port}`)
    const addresses = all.slice(0, size)
    const httpAddresses = all.slice(size)
    const members = addresses.map((address, index) => `${index + 1}=${address}`).join(',')
    const nodes = addresses.map((_, index) => {
      const data = path.join(folder.path, `n${index + 1}`)
      const http = httpAddresses[index] as string
      const args = ['--id', String(index + 1), '--members', members, '--data', data, '--http', http]
      return new ServerProcess(process.execPath, [command, 'node', ...args])
    })
    for (const node of nodes) node.start()
    const cluster = new OurCluster(nodes, addresses, httpAddresses, folder.remove)
    try {
      await Promise.all(addresses.map((_, index) => cluster.#serves(index)))
      return cluster
    } catch (error) {
      await cluster.stop()
      throw new Error(`our cluster did not start:\n${nodes.map((node) => node.log).join('\n')}`, {
        cause: error,
      })
    }
  }

  get pids(): readonly number[] {
    return this.#members.flatMap(({ pid }) => pid ?? [])
  }

  async leader(): Promise<number> {
    return await eventually('our cluster has a leader', readyWithinMs, async () => {
      for (const [index, address] of this.#addresses.entries()) {
        if (!this.#members[index]?.isRunning) continue
        const { role } = await statusOf(address)
        if (role === 'leader') return index
      }
      throw new Error('no member says that it leads')
    })
  }

  async term(): Promise<number> {
    const { term } = await statusOf(this.#addresses[await this.leader()] as string)
    return term
  }

  async httpAddress(): Promise<string> {
    return this.#httpAddresses[await this.leader()] as string
  }

  /** All members: the client finds the leader by itself. */
  async target(): Promise<LoadTarget> {
    return { kind: 'althing', addresses: this.#addresses }
  }

  async drivers(without?: number): Promise<readonly StoreDriver[]> {
    const driver = await openOurs(this.#addresses.filter((_, index) => index !== without))
    await driver.put(probeKey, Buffer.alloc(1), 5_000)
    return [driver]
  }

  async kill(member: number): Promise<void> {
    await this.#members[member]?.kill()
  }

  async restart(member: number): Promise<void> {
    this.#members[member]?.start()
    await this.#serves(member)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()))
    this.#removeData()
  }

  /** A linearizable read through the member answers only when it is in touch with a leader and has caught up. */
  async #serves(member: number): Promise<void> {
    await eventually(`member ${member + 1} serves`, readyWithinMs, async () => {
      const driver = await openOurs([this.#addresses[member] as string])
      try {
        await driver.put(probeKey, Buffer.alloc(1), 1_000)
        await driver.get(probeKey, 1_000)
      } finally {
        await driver.close()
      }
    })
  }
}

async function statusOf(address: string) {
  const client = await NodeClient.open(createNodeWorld({ dataFolder: '.' }), address)
  try {
    return await client.status()
  } finally {
    client.close()
  }
}
