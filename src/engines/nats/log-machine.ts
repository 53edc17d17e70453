import type { AlthingError } from '../../contracts/errors.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import type { LeaseGrant, LeaseId } from '../../contracts/store.ts'
import { decodeCommand } from '../../models/store/codec.ts'
import { StoreModel } from '../../models/store/store-model.ts'
import { leaseNotFound } from '../../models/store/txn.ts'
import type { StoreChange, StoreReply } from '../../models/store/types.ts'
import { decodeMessage, type LogItem } from './log-message.ts'
import type { LogMessage } from './shared-log.ts'

/** The clock of the leases goes on by no more than this from one message to the next: neither a stop of the servers nor a step of their clocks ends a lease. */
export const clockStepMsMax = 2_000

/** Since when a lease runs. */
export interface LeaseTerm {
  readonly ttlMs: number
  /** The message that granted it, or renewed it last. */
  readonly sequence: number
  /** The clock of the leases at that message. */
  readonly clockMs: number
}

/** What an item came to: the reply of a command, the results of a renewal; nothing for the others. */
export type ItemResult = StoreReply | readonly (LeaseGrant | AlthingError)[] | undefined

export interface AppliedMessage {
  readonly writer: string
  readonly number: number
  readonly results: readonly ItemResult[]
}

/** Told in the course of `apply`. */
export interface MachineObserver {
  changed(change: StoreChange): void
  renewed(lease: LeaseId): void
}

/** Where the machine stands beside its store. */
export interface MachinePosition {
  readonly sequence: number
  readonly clockMs: number
  readonly timeMs: number
  /** The state after this message is in a snapshot; 0 when there is none. */
  readonly snapshotSequence: number
  /** Bytes of the messages after it. */
  readonly bytesSinceSnapshot: number
}

export const startPosition: MachinePosition = {
  sequence: 0,
  clockMs: 0,
  timeMs: 0,
  snapshotSequence: 0,
  bytesSinceSnapshot: 0,
}

/**
 * What the messages of the log say, one after the other: the store, and the time of its leases. Deterministic: whoever has applied the same messages has the same state, bit
 * by bit. So there is no clock in here but the one that the log has stamped its messages with.
 *
 * A lease ends only by an `expire` whose writer has itself seen the lease's whole time pass, the log moving all the while, since the last renewal that it had read; and only when
 * no renewal stands between, and the stamps of the messages say that the time is over, too. Two clocks must agree, the server's and that of one client, and neither can end a lease
 * early by itself.
 */
export class LogMachine {
  readonly model = new StoreModel()
  readonly #terms = new Map<LeaseId, LeaseTerm>()
  readonly #observer: MachineObserver
  #position = startPosition

  constructor(observer: MachineObserver) {
    this.#observer = observer
  }

  get position(): MachinePosition {
    return this.#position
  }

  term(lease: LeaseId): LeaseTerm | undefined {
    return this.#terms.get(lease)
  }

  /** As they are now: a term is never changed, only replaced. */
  terms(): readonly (readonly [LeaseId, LeaseTerm])[] {
    return [...this.#terms]
  }

  /** Takes the place of what the machine was, whose model has been given the state of the snapshot already. */
  adopt(position: MachinePosition, terms: Iterable<readonly [LeaseId, LeaseTerm]>): void {
    this.#position = position
    this.#terms.clear()
    for (const [lease, term] of terms) this.#terms.set(lease, term)
  }

  /**
   * `undefined` for a message that is none of ours, or not well formed: every copy passes it over. Throws `incompatible-peer` for one that must not be passed over; nothing is
   * changed then.
   */
  apply(message: LogMessage): AppliedMessage | undefined {
    let content: ReturnType<typeof decodeMessage>
    try {
      content = decodeMessage(message.data)
    } catch (error) {
      if (!isAlthingError(error, 'corrupt')) throw error
    }
    this.#advance(message)
    if (content === undefined) return undefined
    const results = content.items.map((item) => this.#applyItem(item))
    return { writer: content.writer, number: content.number, results }
  }

  #advance({ sequence, timeMs, data }: LogMessage): void {
    const { clockMs, timeMs: before, snapshotSequence, bytesSinceSnapshot } = this.#position
    const passedMs = before === 0 ? 0 : Math.min(Math.max(0, timeMs - before), clockStepMsMax)
    this.#position = {
      sequence,
      clockMs: clockMs + passedMs,
      timeMs,
      snapshotSequence,
      bytesSinceSnapshot: bytesSinceSnapshot + data.byteLength,
    }
  }

  #applyItem(item: LogItem): ItemResult {
    switch (item.kind) {
      case 'command':
        return this.#applyCommand(item.data)
      case 'renew':
        return item.leases.map((lease) => this.#renew(lease))
      case 'expire':
        return this.#expire(item.leases, item.through)
      case 'snapshotTaken':
        if (item.sequence > this.#position.snapshotSequence)
          this.#position = { ...this.#position, snapshotSequence: item.sequence, bytesSinceSnapshot: 0 }
        return undefined
      case 'tick':
        return undefined
    }
  }

  #applyCommand(data: Uint8Array): StoreReply {
    let command: ReturnType<typeof decodeCommand>
    try {
      command = decodeCommand(data)
    } catch (error) {
      if (!isAlthingError(error)) throw error
      return { ok: false, error: error.toJSON() }
    }
    const { reply, change } = this.model.applyWithChange(command)
    if (change !== undefined) this.#changed(change)
    return reply
  }

  #renew(lease: LeaseId): LeaseGrant | AlthingError {
    const term = this.#terms.get(lease)
    if (term === undefined) return leaseNotFound(lease)
    this.#begin(lease, term.ttlMs)
    this.#observer.renewed(lease)
    return { lease, ttlMs: term.ttlMs }
  }

  #expire(leases: readonly LeaseId[], through: number): undefined {
    const { clockMs } = this.#position
    const over = leases.filter((lease) => {
      const term = this.#terms.get(lease)
      return term !== undefined && term.sequence <= through && clockMs - term.clockMs >= term.ttlMs
    })
    if (over.length === 0) return
    const { change } = this.model.applyWithChange({ type: 'expireLeases', leases: over })
    if (change !== undefined) this.#changed(change)
  }

  #changed(change: StoreChange): void {
    for (const { lease, ttlMs } of change.leasesGranted) this.#begin(lease, ttlMs)
    for (const lease of change.leasesEnded) this.#terms.delete(lease)
    this.#observer.changed(change)
  }

  #begin(lease: LeaseId, ttlMs: number): void {
    const { sequence, clockMs } = this.#position
    this.#terms.set(lease, { ttlMs, sequence, clockMs })
  }
}
