import type { JudgedReplica, ReplicaComparison } from '../engines/cluster/replicas/compare-replicas.ts'

/** One line for the group, and one for each copy. */
export function formatComparison(comparison: ReplicaComparison): string {
  const { group, name, index, agreed, replicas } = comparison
  const state =
    agreed === undefined
      ? 'no state is held by most copies'
      : `revision ${agreed.revision}, hash ${agreed.hash}`
  const lines = replicas.map((replica) => `  ${lineOf(replica)}\n`)
  return `group ${group} (${name}) at entry ${index}: ${state}\n${lines.join('')}`
}

function lineOf({ node, verdict, hash, problem }: JudgedReplica): string {
  switch (verdict) {
    case 'same':
      return `node ${node}: the same`
    case 'differs':
      return `node ${node}: DIFFERS (revision ${hash?.revision}, hash ${hash?.hash}): stop it, move its data folder aside, and let the others fill it again`
    case 'damaged':
      return `node ${node}: DAMAGED (what it holds has hash ${hash?.recomputed}): restart it; when it happens again, look at its memory`
    case 'unknown':
      return problem === undefined ? `node ${node}: hash ${hash?.hash}` : `node ${node}: unknown: ${problem}`
  }
}
