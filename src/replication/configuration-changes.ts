import { AlthingError, invalidArgument, withOutcome } from '../contracts/errors.ts'
import { isJoint, targetProblem } from '../protocols/raft/configuration.ts'
import type { Configuration, NodeId, RaftEffect } from '../protocols/raft/types.ts'

export type ChangeCallback = (error?: AlthingError) => void

type Refusal = Extract<RaftEffect, { type: 'configurationRefused' }>['reason']

const refusals: Readonly<Record<Refusal, string>> = {
  'not-leader': 'this node does not lead',
  'in-progress': 'another change of the members is under way',
  'not-ready': 'this leader has not yet committed an entry of its term',
  transferring: 'leadership is being handed over',
}

/** Those who asked for a change of the members on this node, until its last configuration is committed and applied. */
export class ConfigurationChanges {
  readonly #asked = new Map<number, ChangeCallback>()
  #appended: { readonly index: number; readonly done: ChangeCallback } | undefined

  /** Returns whether it was taken; one that was not has been answered. */
  add(id: number, target: Configuration, done: ChangeCallback): boolean {
    const problem = targetProblem(target)
    if (problem !== undefined) {
      done(withOutcome(invalidArgument('target', target, `a configuration (${problem})`), 'none'))
      return false
    }
    this.#asked.set(id, done)
    return true
  }

  appended(id: number, index: number): void {
    const done = this.#asked.get(id)
    this.#asked.delete(id)
    if (done !== undefined) this.#appended = { index, done }
  }

  refused(id: number, reason: Refusal, leader: NodeId): void {
    const done = this.#asked.get(id)
    this.#asked.delete(id)
    const details = { reason, leader }
    done?.(new AlthingError('unavailable', refusals[reason], { outcome: 'none', details }))
  }

  /** The configuration of the entry at `index` is committed and applied. */
  applied(index: number, configuration: Configuration): void {
    const appended = this.#appended
    if (appended === undefined || index < appended.index || isJoint(configuration)) return
    this.#appended = undefined
    appended.done()
  }

  leadershipLost(): void {
    const appended = this.#appended
    this.#appended = undefined
    const problem = 'leadership was lost before the change of the members was known to be committed'
    appended?.done(new AlthingError('unavailable', problem, { outcome: 'unknown' }))
  }

  failAll(error: AlthingError): void {
    const asked = [...this.#asked.values()]
    const appended = this.#appended
    this.#asked.clear()
    this.#appended = undefined
    appended?.done(error)
    for (const done of asked) done(withOutcome(error, 'none'))
  }
}
