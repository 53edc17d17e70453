import type { NodeId } from '../../../protocols/raft/types.ts'

export interface PlannedChange {
  readonly voters: readonly NodeId[]
  readonly target: readonly NodeId[]
  /** Members that have answered the leader lately, the leader included. */
  readonly answering: ReadonlySet<NodeId>
}

/**
 * Why a change of voters would put the cluster at risk, with what to do instead; `undefined` when it does not. The change needs a majority of the old and of the
 * new voters (thesis section 4.3), and afterwards the cluster must not be worse off than its operator believes.
 */
export function riskOf({ voters, target, answering }: PlannedChange): string | undefined {
  if (target.length === 0) return 'no voter would be left'
  const silentNow = voters.filter((id) => !answering.has(id))
  if (voters.length - silentNow.length < majority(voters.length)) {
    return (
      `only ${voters.length - silentNow.length} of ${voters.length} voters answer, ${majority(voters.length)} are needed to change the members; ` +
      `bring back one of ${list(silentNow)} first`
    )
  }
  const silent = target.filter((id) => !answering.has(id))
  const reachable = target.length - silent.length
  const needed = majority(target.length)
  if (reachable < needed) {
    return (
      `of the ${target.length} voters left only ${reachable} would answer, and ${needed} are needed: nothing could be written any more; ` +
      `bring back or remove ${list(silent)} first`
    )
  }
  const takesHealthy = voters.some((id) => answering.has(id) && !target.includes(id))
  if (takesHealthy && silent.length > 0 && reachable - 1 < needed) {
    return (
      `${list(silent)} does not answer, so that after this change one more failure would stop the cluster (${reachable} of ${target.length} voters ` +
      `would answer, ${needed} are needed); bring back, remove or replace ${list(silent)} first`
    )
  }
  return undefined
}

/** A majority of the voters follows the leader. One that proposes other voters decides nothing any more until they do (thesis section 4.1), and cannot take it back. */
export function canDecide(voters: readonly NodeId[], following: ReadonlySet<NodeId>): boolean {
  return voters.filter((id) => following.has(id)).length >= majority(voters.length)
}

export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1
}

function list(ids: readonly NodeId[]): string {
  return ids.map((id) => `node ${id}`).join(' and ')
}
