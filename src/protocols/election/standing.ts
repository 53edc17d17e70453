import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { ElectionEffect, ElectionOptions, ElectionRole, ElectionState, NodeId } from './types.ts'

/** Role, term and leader of one machine, and the effects of the step under way. */
export class Standing<Message> {
  #state: ElectionState = { role: 'follower', term: 0, leader: 0 }
  #told: ElectionState = this.#state
  #effects: ElectionEffect<Message>[] = []
  #sequence = 0
  /** The greatest term that this node has heard of, from whomever. */
  termSeen = 0

  get state(): ElectionState {
    return this.#state
  }

  get role(): ElectionRole {
    return this.#state.role
  }

  get leader(): NodeId {
    return this.#state.leader
  }

  get term(): number {
    return this.#state.term
  }

  /** The least term over all that were heard of which is this node's own: there are as many kinds of terms as members. */
  nextTerm({ id, members }: ElectionOptions): number {
    const place = [...members].sort((a, b) => a - b).indexOf(id)
    const base = Math.floor(this.termSeen / members.length) * members.length + place + 1
    return base > this.termSeen ? base : base + members.length
  }

  heardTerm(term: number): void {
    this.termSeen = Math.max(this.termSeen, term)
  }

  set(role: ElectionRole, leader: NodeId, term: number = this.term): void {
    this.#state = { role, term, leader }
    this.heardTerm(term)
  }

  send(message: Message): void {
    this.#effects.push({ type: 'send', message })
  }

  /** The greatest term led in, as {@link Standing.take} made it durable. Throws `corrupt`. */
  static termIn(state: Uint8Array): number {
    const term = Number(textFromBytes(state))
    if (Number.isSafeInteger(term) && term >= 0) return term
    throw new AlthingError('corrupt', 'the saved state of an election is no term')
  }

  /** The effects of the step: a change of state comes before what is sent, so that a leader has stopped before another hears that it has. */
  take(): ElectionEffect<Message>[] {
    const sends = this.#effects
    this.#effects = []
    const { role, term, leader } = this.#state
    const told = this.#told
    if (role === told.role && term === told.term && leader === told.leader) return sends
    this.#told = this.#state
    const changed = { type: 'stateChanged', role, term, leader } as const
    if (role !== 'leader') return [changed, ...sends]
    this.#sequence += 1
    return [
      { type: 'persist', sequence: this.#sequence, state: bytesFromText(String(term)) },
      changed,
      ...sends,
    ]
  }
}

const membersMax = 1_000

export function checkElectionOptions(options: ElectionOptions): void {
  const { id, members, delayMsMax, heartbeatMs, term } = options
  const areNumbers = members.every((member) => Number.isSafeInteger(member) && member > 0)
  if (!areNumbers || new Set(members).size !== members.length || members.length > membersMax)
    throw invalidArgument('members', members, `up to ${membersMax} different whole numbers > 0`)
  if (!members.includes(id)) throw invalidArgument('id', id, 'one of the members')
  if (!Number.isSafeInteger(term) || term < 0)
    throw invalidArgument('term', term, 'a whole number of 0 or more')
  for (const [name, value] of Object.entries({ delayMsMax, heartbeatMs }))
    if (!(value > 0 && value <= 3_600_000))
      throw invalidArgument(name, value, 'milliseconds > 0, up to an hour')
}
