import type { Credentials } from '../access/access-control.ts'
import { node as nodeRef } from '../access/principal.ts'
import type { World } from '../contracts/world.ts'
import { CheckDuty } from '../coordination/discovery/check-duty.ts'
import { type Freshness, ServiceCatalogue } from '../coordination/discovery/service-catalogue.ts'
import type { ClusterNode } from '../engines/cluster/cluster-node.ts'
import { type ClusterStore, openClusterStore } from '../engines/cluster/cluster-store.ts'
import { DnsServer } from './dns/dns-server.ts'

/** Which checks of instances a node may run for the cluster. `'all'`: programs too, which lets whoever may register a service run them on this machine. */
export type NodeChecks = 'off' | 'network' | 'all'

export interface NodeServicesOptions {
  readonly world: World
  readonly node: ClusterNode
  readonly clusterId: string
  readonly checks: NodeChecks
  /** `host:port`; absent: no answers over DNS. */
  readonly dns?: string
}

/** What a node does for services: knows them all, answers for them over DNS, and checks those that ask the cluster to, in turn with the other nodes. */
export class NodeServices {
  readonly #options: NodeServicesOptions
  readonly #store: ClusterStore
  readonly #catalogue: ServiceCatalogue
  #dns: DnsServer | undefined
  #duty: CheckDuty | undefined
  #isClosed = false

  /** Rejects with `unavailable` when the address for DNS is taken. */
  static async start(options: NodeServicesOptions): Promise<NodeServices> {
    const services = new NodeServices(options)
    const { dns: listen, world } = options
    try {
      if (listen !== undefined) {
        services.#dns = await DnsServer.start({ world, listen, directory: services.#catalogue })
      }
      return services
    } catch (error) {
      await services.close()
      throw error
    }
  }

  private constructor(options: NodeServicesOptions) {
    this.#options = options
    const { world, node, clusterId } = options
    const others = node.members.map(({ address }) => address).filter((address) => address !== node.address)
    const credentials = (): Credentials => {
      const { nodeKey } = node.access
      return nodeKey === undefined ? {} : { nodeKey }
    }
    this.#store = openClusterStore(world, {
      endpoints: [node.address, ...others],
      clusterId,
      node: { principal: nodeRef, credentials },
    })
    this.#catalogue = new ServiceCatalogue({
      store: this.#store,
      world,
      isConnected: () => node.host.group.leader !== 0,
      onChange: () => this.#shareDuty(),
    })
  }

  get dnsAddress(): string | undefined {
    return this.#dns?.address
  }

  get freshness(): Freshness {
    return this.#catalogue.freshness
  }

  /** Whether it runs the checks of the cluster now, and how many. */
  get duty(): { readonly isOnDuty: boolean; readonly checks: number } {
    return { isOnDuty: this.#duty?.isOnDuty === true, checks: this.#duty?.size ?? 0 }
  }

  get allowsScripts(): boolean {
    return this.#options.checks === 'all'
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#dns?.close()
    await this.#duty?.close()
    await this.#catalogue.close()
    await this.#store.close()
  }

  /** Nodes stand for the duty only while there is something to check. */
  #shareDuty(): void {
    const { checks, world, node } = this.#options
    const isNeeded = checks !== 'off' && this.#catalogue.checkedCount > 0 && !this.#isClosed
    if (isNeeded && this.#duty === undefined) {
      this.#duty = new CheckDuty({
        store: this.#store,
        world,
        candidate: `node-${node.id}`,
        allowScripts: checks === 'all',
      })
    } else if (!isNeeded && this.#duty !== undefined) {
      const duty = this.#duty
      this.#duty = undefined
      duty.close().catch((error: unknown) => {
        world.logger.log('debug', 'the duty of checks was not handed over', { error: String(error) })
      })
    }
  }
}
