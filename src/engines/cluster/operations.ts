import type { World } from '../../contracts/world.ts'
import { type HostedGroup, registerBackupCalls } from './backup/backup-calls.ts'
import type { OperatorCalls } from './operator-calls.ts'

/** The node, as far as its operation needs it. */
export interface OperatedNode {
  readonly world: World
  readonly nodeId: number
  readonly clusterId: string
  readonly version: string
  readonly operators: OperatorCalls
  /** Groups of which this node has a copy now. */
  groups(): readonly HostedGroup[]
  /** Resolves when the node serves no more. */
  readonly closed: Promise<unknown>
}

/** What operators can do with a node that runs: back its groups up. */
export function registerOperations(node: OperatedNode): void {
  registerBackupCalls(node.operators, node)
}
