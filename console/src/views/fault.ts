import { api } from '../api/client.ts'
import type { ClusterReply, ProcessAction } from '../api/types.ts'
import { isIsolated, quorumOf } from '../live/cluster-health.ts'
import { record } from '../live/event-log.ts'
import { selfId, snapshot } from '../live/live-state.ts'
import { failurePhrase, say } from '../parts/toasts.tsx'
import type { Phrase } from '../text/fill-in.ts'

export interface Fault {
  readonly process: string
  /** For a process that is a member of the cluster. */
  readonly node: number | undefined
  readonly action: ProcessAction | 'isolate' | 'heal'
}

const harmful: readonly Fault['action'][] = ['kill', 'pause', 'isolate']

/** What one should know before: only harm that goes beyond a drill is asked about. */
export function risksOf(fault: Fault): Phrase[] {
  const cluster = snapshot.value?.cluster
  if (cluster === undefined || fault.node === undefined || !harmful.includes(fault.action)) return []
  return risks(fault.node, fault.action, cluster, selfId.value)
}

/** Pure. */
export function risks(node: number, action: Fault['action'], cluster: ClusterReply, self: number): Phrase[] {
  const found: Phrase[] = []
  if (leftWithout(node, cluster) < quorumOf(cluster.members.length))
    found.push({ key: 'risk.quorum', values: { node } })
  if (node === self && action !== 'isolate') found.push({ key: 'risk.self', values: { node } })
  return found
}

/** Members that work together once `node` is away. */
function leftWithout(node: number, cluster: ClusterReply): number {
  return cluster.members.filter(
    ({ id, status }) => id !== node && status !== null && !isIsolated(id, cluster),
  ).length
}

export async function makeFault(fault: Fault): Promise<void> {
  const { process, node, action } = fault
  const values = { name: process }
  try {
    if (action === 'isolate' || action === 'heal') await api.isolate(node ?? 0, action === 'isolate')
    else await api.processAction(process, action)
    record('done', { key: `done.${action}`, values })
  } catch (error) {
    const failure = failurePhrase(error)
    say('bad', failure)
    record('failed', failure)
  }
}
