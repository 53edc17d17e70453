import type { Credentials } from '../../access/access-control.ts'
import type { World } from '../../contracts/world.ts'
import { NodeClient } from '../../engines/cluster/node-client.ts'
import type { Member } from '../../replication/peer-transport.ts'
import type { MemberAnswer } from '../diagnosis/member-answer.ts'

export interface MemberClientsOptions {
  readonly world: World
  readonly clusterId: string
  /** As they are now. */
  members(): readonly Member[]
  /** A member that has not answered by then counts as silent. */
  readonly timeoutMs: number
  /** What this node shows of itself to the others. */
  credentials(): Credentials
}

/** Connections to the members of the cluster, one each, made when first needed and again after a failure. */
export class MemberClients {
  readonly #options: MemberClientsOptions
  readonly #clients = new Map<string, Promise<NodeClient>>()
  #isClosed = false

  constructor(options: MemberClientsOptions) {
    this.#options = options
  }

  get members(): readonly Member[] {
    return this.#options.members()
  }

  /** Without a status when the member does not answer in time. */
  async ask(member: Member): Promise<MemberAnswer> {
    const { clock } = this.#options.world
    const { id, address } = member
    try {
      return await this.call(member, async (client) => {
        const sentMs = clock.monotonicMs()
        const sentWallMs = clock.wallMs()
        const status = await client.status()
        const roundTripMs = clock.monotonicMs() - sentMs
        const clockAheadMs = status.wallMs - (sentWallMs + roundTripMs / 2)
        return { id, address, status, clockAheadMs, roundTripMs }
      })
    } catch {
      return { id, address }
    }
  }

  /** Rejects with `unavailable`, `timeout` or what the member answers. */
  async call<T>(member: Member, use: (client: NodeClient) => Promise<T>): Promise<T> {
    const opening = this.#client(member)
    try {
      return await use(await opening)
    } catch (error) {
      this.#forget(member.address, opening)
      throw error
    }
  }

  close(): void {
    this.#isClosed = true
    for (const [address, opening] of this.#clients) this.#forget(address, opening)
  }

  #client({ address }: Member): Promise<NodeClient> {
    const existing = this.#clients.get(address)
    if (existing !== undefined) return existing
    const { world, clusterId, timeoutMs, credentials } = this.#options
    const shown = { credentials: credentials(), as: 'node' } as const
    const opening = NodeClient.open(world, address, { clusterId, timeoutMs, ...shown })
    if (!this.#isClosed) this.#clients.set(address, opening)
    return opening
  }

  #forget(address: string, opening: Promise<NodeClient>): void {
    if (this.#clients.get(address) === opening) this.#clients.delete(address)
    opening.then(
      (client) => client.close(),
      () => {},
    )
  }
}
