import { assert } from '../../base/assert.ts'
import type { Core } from './core.ts'
import type { Message } from './types.ts'

type AppendEntries = Extract<Message, { type: 'appendEntries' }>

/** The follower's side of log replication (paper section 5.3). The message is of this node's term. */
export function acceptEntries(core: Core, message: AppendEntries): void {
  core.heardFromLeader(message.from, message.round)
  const lastNewIndex = message.prevLogIndex + message.entries.length
  if (lastNewIndex <= core.commitIndex) {
    // All of it is committed here, hence equal to the leader's; it may even be cut off already.
    acknowledge(core, message, core.commitIndex)
    return
  }
  // What is committed needs no comparison, and its terms may be cut off already.
  const known = Math.max(0, core.commitIndex - message.prevLogIndex)
  const prevLogIndex = message.prevLogIndex + known
  const prevLogTerm = known === 0 ? message.prevLogTerm : (message.entries[known - 1]?.term ?? 0)
  if (core.log.term(prevLogIndex) !== prevLogTerm) {
    assert(prevLogIndex > core.commitIndex, 'committed entries agree (paper section 5.4.3)', {
      prevLogIndex,
      prevLogTerm,
      own: core.log.term(prevLogIndex),
    })
    refuse(core, message)
    return
  }
  let fresh = known
  while (fresh < message.entries.length && isHeld(core, message, fresh)) fresh++
  if (fresh < message.entries.length) {
    core.overwrite(fresh === 0 ? message.entries : message.entries.slice(fresh))
  }
  acknowledge(core, message, lastNewIndex)
  core.commitTo(Math.min(message.leaderCommit, lastNewIndex))
}

/** Answers a leader of an earlier term: it learns that its time is over. */
export function refuseStaleEntries(core: Core, message: AppendEntries): void {
  core.send(message.from, {
    type: 'appendEntriesReply',
    success: false,
    matchIndex: 0,
    rejectedIndex: message.prevLogIndex,
    conflictTerm: 0,
    conflictIndex: message.prevLogIndex,
    round: message.round,
  })
}

function isHeld(core: Core, message: AppendEntries, position: number): boolean {
  const entry = message.entries[position]
  return entry !== undefined && core.log.term(entry.index) === entry.term
}

function acknowledge(core: Core, message: AppendEntries, matchIndex: number): void {
  // A heartbeat is answered at once, with what is durable by now: the proof that the leader leads must not wait for this disk.
  const claimed =
    message.entries.length === 0 ? Math.min(matchIndex, core.durability.persistedIndex) : matchIndex
  core.send(
    message.from,
    {
      type: 'appendEntriesReply',
      success: true,
      matchIndex: claimed,
      rejectedIndex: 0,
      conflictTerm: 0,
      conflictIndex: 0,
      round: message.round,
    },
    claimed,
  )
}

/** Says where the logs may agree, so that the leader skips a whole term at a time (paper section 5.3, end). */
function refuse(core: Core, message: AppendEntries): void {
  const log = core.log
  const conflictTerm = log.term(message.prevLogIndex) ?? 0
  const conflictIndex = conflictTerm === 0 ? log.lastIndex + 1 : log.firstIndexOfTerm(conflictTerm)
  core.send(message.from, {
    type: 'appendEntriesReply',
    success: false,
    matchIndex: 0,
    rejectedIndex: message.prevLogIndex,
    conflictTerm,
    conflictIndex: Math.max(conflictIndex, core.commitIndex + 1),
    round: message.round,
  })
}
