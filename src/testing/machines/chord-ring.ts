import { ChordNode } from '../../protocols/chord/chord-node.ts'
import { belongsTo, type ChordHash, chordIdBits, fingerStart } from '../../protocols/chord/identifiers.ts'
import type {
  ChordEffect,
  ChordEvent,
  ChordId,
  ChordMessage,
  ChordOptions,
  ChordPeer,
  ChordPlace,
} from '../../protocols/chord/types.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import { MessageNetwork, type NetworkConditions } from './message-network.ts'

interface Packet {
  readonly from: number
  readonly to: number
  readonly message: ChordMessage
}

interface Running {
  readonly node: ChordNode
  cancel: () => void
}

export type ChordAnswer = Extract<ChordEffect, { readonly request: number }>

/** Every message arrives, within a round trip of 200 ms. */
export const calm: NetworkConditions = { delayMsMin: 10, delayMsMax: 100, lossShare: 0, doubleShare: 0 }

/** Chord machines on a {@link MessageNetwork}. */
export class ChordRing {
  readonly network: MessageNetwork<Packet>
  readonly #hash: ChordHash
  readonly #options: Partial<ChordOptions>
  readonly #running = new Map<ChordId, Running>()
  readonly #answers = new Map<number, ChordAnswer>()
  #request = 0
  joinsFailed = 0

  constructor(
    random: SeededRandom,
    hash: ChordHash,
    options: Partial<ChordOptions>,
    conditions: NetworkConditions = calm,
  ) {
    this.#hash = hash
    this.#options = options
    this.network = new MessageNetwork(random, conditions, ({ to, message }) =>
      this.#step(to, { type: 'receive', message }),
    )
  }

  /** Identifiers of the nodes that are in the ring, in order. */
  get members(): ChordId[] {
    return [...this.#running]
      .filter(([, { node }]) => node.isIn)
      .map(([id]) => id)
      .sort((a, b) => a - b)
  }

  get running(): ChordId[] {
    return [...this.#running.keys()]
  }

  node(id: ChordId): ChordNode | undefined {
    return this.#running.get(id)?.node
  }

  /** All at their places, as after a long time of peace. */
  startAll(ids: readonly ChordId[], successorsMax: number): void {
    const sorted = [...ids].sort((a, b) => a - b)
    for (const place of sorted.keys())
      this.#add(sorted[place] as ChordId, idealPlace(sorted, place, successorsMax))
  }

  join(id: ChordId, contact: ChordId): void {
    if (this.#running.has(id)) return
    this.#add(id)
    this.#step(id, { type: 'join', contact: peer(contact) })
  }

  crash(id: ChordId): void {
    this.#running.get(id)?.cancel()
    this.#running.delete(id)
  }

  leave(id: ChordId): void {
    this.#step(id, { type: 'leave' })
  }

  /** Asks a node; the answer comes when the network has run on. */
  ask(
    id: ChordId,
    what:
      | { readonly type: 'lookup'; readonly id: ChordId }
      | { readonly type: 'get'; readonly key: string }
      | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array },
  ): number {
    this.#request += 1
    const request = this.#request
    this.#step(id, { ...what, request })
    return request
  }

  /** The answer, given once. */
  answer(request: number): ChordAnswer | undefined {
    const answer = this.#answers.get(request)
    this.#answers.delete(request)
    return answer
  }

  #add(id: ChordId, place?: ChordPlace): void {
    const options = { ...this.#options, self: peer(id) }
    const running = { node: new ChordNode(options, this.#hash, this.network.nowMs, place), cancel: () => {} }
    this.#running.set(id, running)
    this.#setTimer(id, running)
  }

  #step(id: ChordId, event: ChordEvent): void {
    const running = this.#running.get(id)
    if (running === undefined) return
    for (const effect of running.node.step(event, this.network.nowMs)) {
      if (effect.type === 'send') {
        const { message } = effect
        this.network.send({ from: id, to: message.to.id, message }, message.type)
      } else if ('request' in effect) this.#answers.set(effect.request, effect)
      else if (effect.type === 'joinFailed') {
        this.joinsFailed += 1
        this.crash(id)
      } else if (effect.type === 'left') this.crash(id)
    }
    if (this.#running.get(id) === running) this.#setTimer(id, running)
  }

  #setTimer(id: ChordId, running: Running): void {
    running.cancel()
    const { nextDeadlineMs } = running.node
    if (nextDeadlineMs === Number.POSITIVE_INFINITY) return
    running.cancel = this.network.after(nextDeadlineMs - this.network.nowMs, () =>
      this.#step(id, { type: 'tick' }),
    )
  }
}

export function peer(id: ChordId): ChordPeer {
  return { id, address: `node-${id}` }
}

/** Where the node at `place` of a sorted list belongs. */
export function idealPlace(sorted: readonly ChordId[], place: number, successorsMax: number): ChordPlace {
  const at = (index: number): ChordId =>
    sorted[((index % sorted.length) + sorted.length) % sorted.length] as ChordId
  const count = Math.min(successorsMax, sorted.length - 1)
  const self = at(place)
  const fingers = Array.from({ length: chordIdBits }, (_, finger) => {
    const owner = ownerOf(sorted, fingerStart(self, finger))
    return owner === self ? undefined : peer(owner)
  })
  return {
    predecessor: sorted.length === 1 ? undefined : peer(at(place - 1)),
    successors: Array.from({ length: count }, (_, next) => peer(at(place + 1 + next))),
    fingers,
  }
}

/** The node at or after the identifier, of a sorted list. */
export function ownerOf(sorted: readonly ChordId[], id: ChordId): ChordId {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as ChordId) < id) low = middle + 1
    else high = middle
  }
  return sorted[low % sorted.length] as ChordId
}

/** Whether everyone's neighbours and list are what they should be. */
export function isIdeal(ring: ChordRing, successorsMax: number): boolean {
  const sorted = ring.members
  return sorted.every((id, index) => {
    const place = ring.node(id)?.place
    const ideal = idealPlace(sorted, index, successorsMax)
    const isSameList =
      place?.successors.length === ideal.successors.length &&
      place.successors.every((each, next) => each.id === ideal.successors[next]?.id)
    return isSameList && place?.predecessor?.id === ideal.predecessor?.id
  })
}

/**
 * What must hold at every moment (Zave, section 3): each member has a live successor; following the first live ones there is one ring, no more, and it goes
 * round once. Undefined while it does.
 */
export function ringViolation(ring: ChordRing): string | undefined {
  const { members } = ring
  if (members.length < 2) return undefined
  const alive = new Set(members)
  const next = new Map<ChordId, ChordId>()
  for (const id of members) {
    const successor = ring.node(id)?.place.successors.find((each) => alive.has(each.id))
    if (successor === undefined) return `OneLiveSuccessor: node ${id} has no live successor`
    next.set(id, successor.id)
  }
  const onRing = new Set<ChordId>()
  let at = members[0] as ChordId
  for (let step = 0; step < members.length; step++) at = next.get(at) as ChordId
  const start = at
  let turns = 0
  do {
    onRing.add(at)
    const to = next.get(at) as ChordId
    if (to <= at) turns += 1
    at = to
  } while (at !== start)
  if (turns !== 1) return `OrderedRing: the ring of ${start} goes round ${turns} times`
  for (const id of members) {
    let from = id
    for (let step = 0; step < members.length; step++) from = next.get(from) as ChordId
    if (!onRing.has(from)) return `AtMostOneRing: ${id} leads to another ring than ${members[0]}`
  }
  return undefined
}

/**
 * What Zave takes for granted of a crash (section 3.3): whoever follows the victim has another live successor, and r + 1 members stay that nobody's list passes over. Members that
 * join or leave count as crashed.
 */
export function mayCrash(ring: ChordRing, victim: ChordId, successorsMax: number): boolean {
  const left = ring.members.filter((id) => id !== victim)
  const alive = new Set(left)
  const lists = left.map((id) => [id, ...(ring.node(id)?.place.successors ?? []).map((each) => each.id)])
  if (!lists.every(([, ...list]) => list.some((id) => alive.has(id)))) return false
  const isPassedOver = (id: ChordId): boolean =>
    lists.some((list) =>
      list.some(
        (each, i) =>
          i > 0 && each !== id && belongsTo(list[i - 1] as ChordId, id, each) && list[i - 1] !== id,
      ),
    )
  return left.filter((id) => !isPassedOver(id)).length > successorsMax
}
