import type { World } from '../contracts/world.ts'
import { NodeClient, type NodeClientOptions } from '../engines/cluster/node-client.ts'
import { credentialsOf } from '../node/client-security.ts'

/** A connection to one node, showing what the environment says of who calls. */
export function openNode(
  world: World,
  address: string,
  options: NodeClientOptions = {},
): Promise<NodeClient> {
  const credentials = credentialsOf({})
  return NodeClient.open(world, address, {
    ...(credentials === undefined ? {} : { credentials }),
    ...options,
  })
}
