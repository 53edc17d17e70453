import { AlthingError, asAlthingError } from '../../../contracts/errors.ts'
import type { World } from '../../../contracts/world.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import { peerVersion } from '../../../replication/message-codec.ts'
import type { Member } from '../../../replication/peer-transport.ts'
import { NodeClient } from '../node-client.ts'

export interface JoinOptions {
  readonly world: World
  readonly clusterId: string
  readonly id: NodeId
  readonly secret: string
  readonly storageId: string
  /** Where the others reach this node. */
  readonly address: string
  /** Members to ask, this one possibly among them. */
  readonly members: readonly Member[]
  /** Asking has become pointless: the cluster has called, or the node is closing. */
  isOver(): boolean
}

const answerTimeoutMs = 5_000
const againMs = 500

/** Answers that asking again will not change. */
const final: ReadonlySet<string> = new Set([
  'permission-denied',
  'not-member',
  'not-found',
  'invalid-argument',
  'unauthenticated',
])

/**
 * Asks the members, one after the other and again and again, to be let in with the secret of an invitation; the leader calls this node then. Rejects with what
 * no repetition will mend.
 */
export async function joinCluster(options: JoinOptions): Promise<void> {
  const { world, id, members } = options
  const others = members.filter((member) => member.id !== id)
  if (others.length === 0)
    throw new AlthingError('invalid-argument', 'there is no member to ask for admission', { outcome: 'none' })
  const said = new Map<NodeId, string>()
  for (let i = 0; !options.isOver(); i++) {
    const asked = others[i % others.length] as Member
    try {
      await ask(options, asked.address)
      return
    } catch (cause) {
      const error = asAlthingError(cause)
      if (final.has(error.code)) throw error
      // Twice a second, until someone mends it: a line for each new reason of each member is enough.
      if (said.get(asked.id) !== error.message)
        world.logger.log('warn', 'not yet admitted to the cluster', { reason: error.message })
      said.set(asked.id, error.message)
    }
    await new Promise<void>((resolve) => world.timers.after(againMs, resolve))
  }
}

async function ask(
  { world, clusterId, id, secret, storageId, address }: JoinOptions,
  at: string,
): Promise<void> {
  const client = await NodeClient.open(world, at, { clusterId, timeoutMs: answerTimeoutMs, as: 'node' })
  try {
    await client.operate('member.join', { id, secret, storageId, address, peerVersion })
  } finally {
    client.close()
  }
}
