import type { Core } from './core.ts'
import type { Message, NodeId, SnapshotMeta } from './types.ts'

type InstallSnapshot = Extract<Message, { type: 'installSnapshot' }>

/** A follower takes a chunk only of a snapshot that it cannot do without (paper section 7). The message is of this node's term. */
export function acceptChunk(core: Core, message: InstallSnapshot): void {
  const { index, term } = message.snapshot
  core.heardFromLeader(message.from, message.round)
  // What a snapshot stands for is committed: a log that has its last entry has all of it.
  if (core.log.term(index) === term) core.commitTo(index)
  if (index > core.commitIndex) core.emit({ type: 'acceptSnapshot', message })
  else replyInstalled(core, message.from, message.transferId, index, message.round)
}

export function refuseStaleChunk(core: Core, message: InstallSnapshot): void {
  core.send(message.from, {
    type: 'installSnapshotReply',
    transferId: message.transferId,
    offset: 0,
    installed: false,
    index: message.snapshot.index,
    round: message.round,
  })
}

/** The snapshot is durable here. The log may have overtaken it meanwhile; the leader goes on from there in either case. */
export function completeInstall(core: Core, from: NodeId, transferId: number, snapshot: SnapshotMeta): void {
  if (snapshot.index > core.commitIndex) core.installSnapshot(snapshot)
  // The sender may lead no more; its successor finds out by probing.
  if (core.leader === from && core.role === 'follower')
    replyInstalled(core, from, transferId, snapshot.index, core.heardRound)
}

function replyInstalled(core: Core, to: NodeId, transferId: number, index: number, round: number): void {
  core.send(to, { type: 'installSnapshotReply', transferId, offset: 0, installed: true, index, round }, index)
}
