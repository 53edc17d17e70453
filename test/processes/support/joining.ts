import { expect } from 'vitest'
import { eventually } from './eventually.ts'
import type { ClusterMember, NodeCluster } from './node-cluster.ts'
import { operator } from './operator.ts'

/** Runs `althing member ARGS`, then the node that it invites. */
export async function invite(cluster: NodeCluster, ...args: readonly string[]): Promise<ClusterMember> {
  const { id, token } = await operator(cluster, 'member', ...args)
  return cluster.join(Number(id), String(token))
}

export async function becomesVoter(cluster: NodeCluster, { id }: ClusterMember): Promise<void> {
  await eventually(`node ${id} votes`, async () => {
    const status = await (await cluster.presentLeader())?.status()
    return status?.members.some((member) => member.id === id && member.isVoter)
  })
}

/** The process ends by itself, and says why. */
export async function endsAsRemoved(member: ClusterMember): Promise<void> {
  expect((await member.process.ending()).code).toBe(1)
  expect(member.process.errors).toContain('[not-member]')
}
