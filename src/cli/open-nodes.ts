import type { World } from '../contracts/world.ts'
import type { NodeClient } from '../engines/cluster/node-client.ts'
import { openNode } from './open-node.ts'

const timeoutMs = 30_000

/** Connections to these members, for operator calls. Rejects when one cannot be made. */
export async function openNodes(
  world: World,
  members: readonly { readonly id: number; readonly address: string }[],
): Promise<{ readonly nodes: ReadonlyMap<number, NodeClient>; close(): void }> {
  const nodes = new Map<number, NodeClient>()
  const close = (): void => {
    for (const node of nodes.values()) node.close()
  }
  try {
    for (const { id, address } of members) nodes.set(id, await openNode(world, address, { timeoutMs }))
  } catch (error) {
    close()
    throw error
  }
  return { nodes, close }
}
