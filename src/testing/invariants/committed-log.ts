import { assert } from '../../base/assert.ts'
import { decodeCommand } from '../../models/store/codec.ts'
import { StoreModel } from '../../models/store/store-model.ts'
import type { StoreChange, StoreCommand, StoreReply } from '../../models/store/types.ts'
import type { Entry } from '../../protocols/raft/types.ts'
import { EventLog } from '../checkers/event-log.ts'

/** One command of the log, in the order of the log, with what it did. */
export interface CommittedCommand {
  readonly index: number
  /** True time at which the first member was told that it is committed. */
  readonly timeMs: number
  readonly command: StoreCommand
  readonly reply: StoreReply
  readonly change: StoreChange | undefined
  /** Of the store, afterwards. */
  readonly revision: number
}

/** Of the state at one index: cheap to compare after every entry. */
export interface StateSummary {
  readonly revision: number
  readonly compactRevision: number
  readonly keys: number
  readonly leases: number
  readonly sessions: number
}

/**
 * The truth that clients and replicas are judged by: all that was committed, in order, and a store of its own to which each command was applied
 * exactly once.
 */
export class CommittedLog {
  readonly model = new StoreModel()
  readonly commands: CommittedCommand[] = []
  readonly #summaries: StateSummary[] = [summaryOf(this.model)]
  #events: EventLog | undefined

  /** Index of the last entry that was applied to {@link CommittedLog.model}. */
  get index(): number {
    return this.#summaries.length - 1
  }

  /** Takes entries as a member is told to apply them; those that are known already are passed over. */
  add(timeMs: number, entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.index) continue
      assert(entry.index === this.index + 1, 'the log is committed in order', { index: entry.index })
      if (entry.kind === 'command') this.#apply(timeMs, entry)
      this.#summaries.push(summaryOf(this.model))
    }
  }

  summaryAt(index: number): StateSummary | undefined {
    return this.#summaries[index]
  }

  /** Every event of every revision. Complete once the run has ended. */
  get events(): EventLog {
    this.#events ??= new EventLog(
      this.commands.flatMap(({ change }) =>
        change === undefined ? [] : [{ revision: change.revision, events: change.events }],
      ),
    )
    return this.#events
  }

  #apply(timeMs: number, entry: Entry): void {
    const command = decodeCommand(entry.data)
    const { reply, change } = this.model.applyWithChange(command)
    this.commands.push({ index: entry.index, timeMs, command, reply, change, revision: this.model.revision })
    this.#events = undefined
  }
}

export function summaryOf(model: StoreModel): StateSummary {
  const { keys, leases, sessions } = model.stats
  return { revision: model.revision, compactRevision: model.compactRevision, keys, leases, sessions }
}
