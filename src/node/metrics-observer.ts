import type { Clock } from '../contracts/world.ts'
import type { NodeMetrics } from '../observe/node-metrics.ts'
import type { RaftEffect, RaftEvent } from '../protocols/raft/types.ts'
import type { GroupObserver } from '../replication/raft-group.ts'

/** Batches on their way through the log whose time is taken; past it some are not measured. */
const batchesMax = 4_096

/** Counts and times what a raft group does. */
export function metricsObserver(clock: Clock, metrics: NodeMetrics): GroupObserver {
  const meter = new RaftMeter(clock, metrics)
  // Observers are put together by spreading, which takes an object's own members only.
  return {
    stepped: (event, effects) => meter.stepped(event, effects),
    applied: (index) => meter.applied(index),
  }
}

class RaftMeter {
  readonly #clock: Clock
  readonly #metrics: NodeMetrics
  #leader = 0
  /** In the order of their indexes. */
  #batches: { readonly lastIndex: number; readonly startedMs: number }[] = []
  #applyingSinceMs: number | undefined

  constructor(clock: Clock, metrics: NodeMetrics) {
    this.#clock = clock
    this.#metrics = metrics
  }

  stepped(event: RaftEvent, effects: readonly RaftEffect[]): void {
    if (event.type === 'read') this.#metrics.readAsked()
    for (const effect of effects) this.#performing(effect)
  }

  applied(index: number): void {
    const nowMs = this.#clock.monotonicMs()
    if (this.#applyingSinceMs !== undefined) this.#metrics.applied((nowMs - this.#applyingSinceMs) / 1_000)
    this.#applyingSinceMs = undefined
    let done = 0
    for (const { lastIndex, startedMs } of this.#batches) {
      if (lastIndex > index) break
      this.#metrics.committed((nowMs - startedMs) / 1_000)
      done++
    }
    if (done > 0) this.#batches.splice(0, done)
  }

  #performing(effect: RaftEffect): void {
    switch (effect.type) {
      case 'proposalsAppended':
        this.#metrics.proposed(effect.count)
        if (this.#batches.length >= batchesMax) return
        this.#batches.push({
          lastIndex: effect.firstIndex + effect.count - 1,
          startedMs: this.#clock.monotonicMs(),
        })
        return
      case 'apply':
        this.#applyingSinceMs = this.#clock.monotonicMs()
        return
      case 'stateChanged':
        this.#stateChanged(effect)
        return
      default:
        return
    }
  }

  #stateChanged({ role, leader }: Extract<RaftEffect, { type: 'stateChanged' }>): void {
    // What a deposed leader had under way may be overwritten: its indexes say nothing any more.
    if (role !== 'leader') this.#batches = []
    if (role === 'candidate') this.#metrics.electionStarted()
    if (leader !== 0 && leader !== this.#leader) this.#metrics.leaderChanged()
    if (leader !== 0) this.#leader = leader
  }
}
