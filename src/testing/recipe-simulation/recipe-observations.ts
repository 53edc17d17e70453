import { isAlthingError } from '../../contracts/errors.ts'
import type { Fence } from '../../coordination/fencing.ts'
import type { CommittedLog } from '../invariants/committed-log.ts'
import { checkHeldIsInStore } from '../invariants/held-is-in-store.ts'
import type { Loss, Stall } from '../invariants/loss-names-its-cause.ts'
import { InvariantViolation } from '../invariants/violation.ts'
import { type ExclusiveRight, LockWatcher } from '../store-simulation/lock-watcher.ts'
import type { LoggedEvent } from '../world/event-log.ts'

/** A right that a user was given: what it would be told about it at any moment. */
export interface WatchedRight extends ExclusiveRight {
  readonly lost: AbortSignal
  /** By which the store knows it. */
  readonly fence?: Fence
}

interface Given {
  readonly user: string
  readonly right: WatchedRight
}

/** What the users of a recipe were told, by true time, and what happened to their processes. */
export class RecipeObservations {
  readonly rights = new LockWatcher()
  readonly losses: Loss[] = []
  readonly stalls: Stall[] = []
  readonly #log: CommittedLog
  readonly #nowMs: () => number
  readonly #violated: (violation: InvariantViolation) => void
  readonly #given = new Set<Given>()
  #givenCount = 0

  constructor(log: CommittedLog, nowMs: () => number, violated: (violation: InvariantViolation) => void) {
    this.#log = log
    this.#nowMs = nowMs
    this.#violated = violated
  }

  /** How many rights were given. */
  get given(): number {
    return this.#givenCount
  }

  /** How often rights were lost, by cause. */
  get lossesByCause(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { reason } of this.losses) {
      const cause = `lost: ${isAlthingError(reason) ? String(reason.details?.['cause']) : 'unknown'}`
      counts[cause] = (counts[cause] ?? 0) + 1
    }
    return counts
  }

  /** A user was given a right that no other may have at the same time. */
  acquired(user: { readonly name: string; readonly process: string }, right: WatchedRight): void {
    this.rights.acquired(this.#nowMs(), user.name, right)
    this.shared(user, right)
  }

  /** A user was given a right that others may have beside it. */
  shared(user: { readonly name: string; readonly process: string }, right: WatchedRight): void {
    const { name, process } = user
    this.#givenCount++
    this.#given.add({ user: name, right })
    right.lost.addEventListener('abort', () => {
      this.losses.push({
        user: name,
        process,
        what: right.name,
        atMs: this.#nowMs(),
        reason: right.lost.reason,
      })
    })
    this.look()
  }

  /** Asks all who were given a right; to be called often. */
  look(): void {
    this.rights.look(this.#nowMs())
    for (const each of this.#given) {
      if (!each.right.isHeld) this.#given.delete(each)
      else if (each.right.fence !== undefined)
        this.#judge(checkHeldIsInStore(each.user, each.right.fence, this.#log.model))
    }
  }

  /** The process of this user was killed: what it was told does not matter any more. */
  died(user: string): void {
    this.rights.died(this.#nowMs(), user)
    for (const each of this.#given) if (each.user.startsWith(`${user}.`)) this.#given.delete(each)
  }

  /** Takes note of what holds a process up. */
  saw({ kind, subject, detail, timeMs }: LoggedEvent): void {
    if (kind !== 'process') return
    const text = String(detail)
    if (text === 'pause')
      this.stalls.push({ process: subject, kind: 'pause', fromMs: timeMs, untilMs: Infinity })
    else if (text.startsWith('block '))
      this.stalls.push({
        process: subject,
        kind: 'block',
        fromMs: timeMs,
        untilMs: timeMs + Number(text.slice('block '.length)),
      })
    else if (text === 'resume') this.#resumed(subject, timeMs)
  }

  /** Ends the run: something was seen that must never be. */
  violated(invariant: string, message: string): void {
    this.#violated(new InvariantViolation(invariant, message))
  }

  /** Ends the run. */
  report(violation: InvariantViolation): void {
    this.#violated(violation)
  }

  #resumed(process: string, nowMs: number): void {
    for (const [i, stall] of this.stalls.entries()) {
      const isOver = stall.process === process && stall.kind === 'pause' && stall.untilMs === Infinity
      if (isOver) this.stalls[i] = { ...stall, untilMs: nowMs }
    }
  }

  #judge(violation: InvariantViolation | undefined): void {
    if (violation !== undefined) this.#violated(violation)
  }
}
