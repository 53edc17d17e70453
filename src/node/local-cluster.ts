import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AlthingError, asAlthingError, invalidArgument } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import { NodeClient } from '../engines/cluster/node-client.ts'
import type { NodeStatus } from '../engines/cluster/node-status.ts'
import type { Member } from '../replication/peer-transport.ts'
import { makeFolder } from '../world/make-folder.ts'
import { credentialsOf } from './client-security.ts'
import { startControlServer } from './control-server.ts'
import { freePorts } from './free-ports.ts'
import type { HttpListener } from './http-listener.ts'
import { Supervisor } from './supervisor.ts'

/** The `althing` command as a script, for child processes. */
export const commandScript = fileURLToPath(new URL('../cli/main.js', import.meta.url))

export interface LocalClusterOptions {
  readonly world: World
  /** 1..9 */
  readonly nodes: number
  /** The nodes' logs and snapshots, and the processes' log files, lie here. */
  readonly dataFolder: string
  readonly clusterId?: string
}

interface NodePlace extends Member {
  readonly http: string
}

async function makeDataFolder(folder: string): Promise<void> {
  try {
    await makeFolder(resolve(folder))
  } catch (cause) {
    const reason = asAlthingError(cause).message
    throw new AlthingError('disk-failed', `the folder ${folder} cannot be made: ${reason}`, {
      outcome: 'none',
      cause,
    })
  }
}

/** A cluster of node processes on this machine, under one supervisor. */
export class LocalCluster {
  readonly supervisor: Supervisor
  readonly places: readonly NodePlace[]
  readonly clusterId: string
  readonly #world: World
  readonly #control: HttpListener

  /** Starts the processes. {@link ready} waits for them. Rejects with `disk-failed` when the folder cannot be made. */
  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    const { world, nodes, dataFolder, clusterId = 'althing' } = options
    if (!(Number.isSafeInteger(nodes) && nodes >= 1 && nodes <= 9))
      throw invalidArgument('nodes', nodes, 'a whole number from 1 to 9')
    await makeDataFolder(dataFolder)
    const places = await placesOf(dataFolder, nodes)
    const supervisor = new Supervisor(world, join(dataFolder, 'logs'))
    const control = await startControlServer(supervisor)
    const cluster = new LocalCluster(world, supervisor, control, places, clusterId)
    for (const place of places) cluster.#addNode(place, join(dataFolder, `node-${place.id}`))
    return cluster
  }

  private constructor(
    world: World,
    supervisor: Supervisor,
    control: HttpListener,
    places: readonly NodePlace[],
    clusterId: string,
  ) {
    this.#world = world
    this.supervisor = supervisor
    this.#control = control
    this.places = places
    this.clusterId = clusterId
  }

  get url(): string {
    return `althing://${this.places.map(({ address }) => address).join(',')}`
  }

  get consoleUrl(): string {
    return `http://${this.places[0]?.http}/`
  }

  /** Resolves when every node is ready. Rejects with `timeout`, naming the log of one that is not, or at once when one has ended. */
  async ready(timeoutMs: number): Promise<void> {
    const deadlineMs = this.#world.clock.monotonicMs() + timeoutMs
    await Promise.all(this.places.map((place) => this.#nodeReady(place, deadlineMs)))
  }

  async stop(): Promise<void> {
    await this.supervisor.stop()
    await this.#control.close()
  }

  #addNode(place: NodePlace, dataFolder: string): void {
    const members = this.places.map(({ id, address }) => `${id}=${address}`).join(',')
    this.supervisor.add({
      name: `node-${place.id}`,
      kind: 'node',
      script: commandScript,
      args: [
        'node',
        '--id',
        String(place.id),
        '--members',
        members,
        '--cluster',
        this.clusterId,
        '--data',
        dataFolder,
        '--http',
        place.http,
      ],
      env: { ALTHING_CONTROL: this.#control.address },
    })
  }

  async #nodeReady(place: NodePlace, deadlineMs: number): Promise<void> {
    const name = `node-${place.id}`
    for (;;) {
      const process = this.supervisor.list().find((status) => status.name === name)
      const log = this.supervisor.logFile(name)
      if (process?.state === 'stopped')
        throw new AlthingError('unavailable', `${name} has ended (${process.lastExit}); see ${log}`)
      const status = await this.#statusOf(place)
      if (status?.isReady === true) return
      if (this.#world.clock.monotonicMs() > deadlineMs) {
        throw new AlthingError(
          'timeout',
          `${name} is not ready: ${status?.problem ?? 'it does not answer'}; see ${log}`,
        )
      }
      await new Promise<void>((resolve) => this.#world.timers.after(50, resolve))
    }
  }

  async #statusOf(place: NodePlace): Promise<NodeStatus | undefined> {
    return statusOf(this.#world, place.address, this.clusterId)
  }
}

/** What the node at `address` says of itself; `undefined` when it does not answer. */
export async function statusOf(
  world: World,
  address: string,
  clusterId = '',
): Promise<NodeStatus | undefined> {
  let client: NodeClient | undefined
  try {
    const credentials = credentialsOf({})
    const shown = credentials === undefined ? {} : { credentials }
    client = await NodeClient.open(world, address, { clusterId, timeoutMs: 1_000, ...shown })
    return await client.status()
  } catch {
    return undefined
  } finally {
    client?.close()
  }
}

/** The addresses of a folder's cluster are kept in it: its members find each other again after a restart. */
async function placesOf(dataFolder: string, nodes: number): Promise<NodePlace[]> {
  const file = join(dataFolder, 'cluster.json')
  const kept = readPlaces(file)
  if (kept !== undefined && kept.length !== nodes) {
    throw new AlthingError(
      'conflict',
      `${dataFolder} holds a cluster of ${kept.length} nodes, not ${nodes}: use --nodes ${kept.length}, or another folder`,
    )
  }
  if (kept !== undefined) return kept
  const ports = await freePorts(nodes * 2)
  const places = Array.from({ length: nodes }, (_, i) => ({
    id: i + 1,
    address: `127.0.0.1:${ports[2 * i]}`,
    http: `127.0.0.1:${ports[2 * i + 1]}`,
  }))
  writeFileSync(file, `${JSON.stringify(places, undefined, 2)}\n`)
  return places
}

function readPlaces(file: string): NodePlace[] | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
  let places: unknown
  try {
    places = JSON.parse(text)
  } catch {
    // Reported below, as any other content that is none of ours.
  }
  if (Array.isArray(places) && places.every(isPlace)) return places
  throw new AlthingError(
    'corrupt',
    `${file} does not have its form: it tells where the nodes of this cluster listen`,
  )
}

function isPlace(value: unknown): value is NodePlace {
  if (typeof value !== 'object' || value === null) return false
  const { id, address, http } = value as Partial<Record<keyof NodePlace, unknown>>
  return Number.isSafeInteger(id) && typeof address === 'string' && typeof http === 'string'
}
