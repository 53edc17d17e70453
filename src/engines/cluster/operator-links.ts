import type { Credentials } from '../../access/access-control.ts'
import type { PrincipalRef } from '../../access/principal.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import { LeaderLink } from './leader-link.ts'
import type { Caller, OperatorCalls, Plain } from './operator-calls.ts'
import { methods } from './protocol.ts'

/** Something that answers operator calls: a `NodeClient`, another node as this one reaches it, or this node itself. */
export interface CalledNode {
  operate(name: string, argument?: Plain): Promise<Plain>
}

export interface OperatorLinksOptions {
  readonly world: World
  readonly self: NodeId
  readonly clusterId: string
  /** This node's own. */
  readonly operators: OperatorCalls
  addressOf(member: NodeId): string | undefined
  /** What this node shows of itself, and in whose name it calls. */
  credentials(): Credentials
  principal(): PrincipalRef
}

const callTimeoutMs = 30_000
const itself: Caller = { name: 'cluster', remoteAddress: '' }

/** A node's way to the operator calls of every member: one connection each, made when first needed. */
export class OperatorLinks {
  readonly #options: OperatorLinksOptions
  readonly #links = new Map<NodeId, LeaderLink>()

  constructor(options: OperatorLinksOptions) {
    this.#options = options
  }

  to(node: NodeId): CalledNode {
    const { self, operators } = this.#options
    if (node === self) return { operate: (name, argument = null) => operators.call([name, argument], itself) }
    return { operate: (name, argument = null) => this.#operate(node, name, argument) }
  }

  close(): void {
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  #operate(node: NodeId, name: string, argument: Plain): Promise<Plain> {
    const { timers } = this.#options.world
    return new Promise((resolve, reject) => {
      const timer = timers.after(callTimeoutMs, () =>
        reject(new AlthingError('timeout', `node ${node} did not answer ${name}`, { outcome: 'unknown' })),
      )
      const handler = {
        done: (error: AlthingError | undefined, answer: unknown) => {
          timer.cancel()
          if (error === undefined) resolve((answer ?? null) as Plain)
          else reject(error)
        },
      }
      const body = [name, argument]
      this.#link(node).forward(node, methods.operate, callTimeoutMs, body, handler, this.#options.principal())
    })
  }

  #link(node: NodeId): LeaderLink {
    const existing = this.#links.get(node)
    if (existing !== undefined) return existing
    const { world, clusterId, addressOf, credentials } = this.#options
    const link = new LeaderLink(world, { clusterId, addressOf, credentials })
    this.#links.set(node, link)
    return link
  }
}
