import { fieldsOf, optionalWhole } from './call-fields.ts'
import type { GroupStatus } from './node-status.ts'
import type { OperatorCalls, Plain } from './operator-calls.ts'

/** The node, as far as these calls need it. */
export interface DrainedNode {
  drain(withinMs: number): Promise<number>
  undrain(): void
  groupStatuses(): readonly GroupStatus[]
}

const drainMsDefault = 10_000

/**
 * Calls that concern the node asked, and no other:
 *
 *     node.drain   { withinMs } -> { leading }: what it still leads, and others could; 0: it can be stopped
 *     node.undrain
 *     node.groups  -> its copies of groups: [{ id, name, role, term, leader, commitIndex, appliedIndex, keys, voters, learners }]
 */
export function registerNodeCalls(operators: OperatorCalls, node: DrainedNode): void {
  operators.register({
    'node.drain': async (argument) => {
      const withinMs = optionalWhole(fieldsOf(argument, ['withinMs']), 'withinMs') ?? drainMsDefault
      return { leading: await node.drain(withinMs) }
    },
    'node.undrain': async () => {
      node.undrain()
      return null
    },
    'node.groups': async () => node.groupStatuses() as unknown as Plain,
  })
}
