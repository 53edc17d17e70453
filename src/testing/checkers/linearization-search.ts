import { mixHash } from './canonical-value.ts'
import { createCallList, type ListNode, lift, unlift } from './call-list.ts'
import { ConfigurationMemo } from './configuration-memo.ts'
import type { DecodedOperation, SequentialModel } from './sequential-model.ts'

export type SearchVerdict = 'ok' | 'violation' | 'running'

/** How far a search came at best. */
export interface LongestLinearization<Op> {
  /** In the order in which they took effect. */
  readonly placed: readonly DecodedOperation<Op>[]
  /** The first operation that returned and could not be placed. */
  readonly blocked: DecodedOperation<Op> | undefined
}

interface Frame<State> {
  readonly call: ListNode
  readonly stateBefore: State
  readonly endWordBefore: number
  /** Placing it cannot have been the mistake: see `#tryPlace`. */
  readonly isSafe: boolean
}

/**
 * Searches for an order of one part of a history that its model allows and real time allows (Wing & Gong 1993; the list and the memo after Lowe
 * 2017, "Testing for Linearizability"). Each round places the first call that the model accepts among those that began before any
 * unplaced operation returned; at a return that stays unplaced it takes the last placement back.
 *
 * An operation of unknown outcome need not be placed. The work is done in slices, so that searches can take turns.
 */
export class LinearizationSearch<State, Op> {
  readonly #model: SequentialModel<State, Op>
  readonly #operations: readonly DecodedOperation<Op>[]
  readonly #isObservation: readonly boolean[]
  readonly #head: ListNode
  readonly #memo: ConfigurationMemo<State>
  readonly #placed: Uint32Array
  readonly #stack: Frame<State>[] = []
  #cursor: ListNode | undefined
  #state: State
  #placedHash = 0
  #endWord = 0
  /** Operations that returned `ok` and have no place yet. */
  #missing: number
  #verdict: SearchVerdict = 'running'
  #steps = 0
  #longest: LongestLinearization<Op> | undefined

  /** `operations` are ordered by call, and none has failed. */
  constructor(model: SequentialModel<State, Op>, operations: readonly DecodedOperation<Op>[]) {
    this.#model = model
    this.#operations = operations
    this.#isObservation = operations.map(
      ({ operation, op }) => operation.outcome === 'ok' && model.isObservation(op),
    )
    this.#head = createCallList(operations.map(({ operation }) => operation))
    this.#cursor = this.#head.next
    this.#memo = new ConfigurationMemo((a, b) => model.equal(a, b))
    this.#placed = new Uint32Array((operations.length >>> 5) + 1)
    this.#state = model.initial
    this.#missing = operations.filter(({ operation }) => operation.outcome === 'ok').length
  }

  /** Steps taken: calls tried and placements taken back. */
  get steps(): number {
    return this.#steps
  }

  get isDone(): boolean {
    return this.#verdict !== 'running'
  }

  /** Memory of the memo, in 32-bit words. */
  get memoryWords(): number {
    return this.#memo.words
  }

  /** After `'violation'` and while running: the longest order found so far. */
  get longest(): LongestLinearization<Op> {
    return this.#longest ?? { placed: [], blocked: undefined }
  }

  /** Takes up to `stepsMax` steps more. */
  run(stepsMax: number): SearchVerdict {
    const end = this.#steps + stepsMax
    while (this.#verdict === 'running' && this.#steps < end) {
      this.#steps += 1
      if (this.#missing === 0) this.#verdict = 'ok'
      else this.#step()
    }
    return this.#verdict
  }

  #step(): void {
    const node = this.#cursor
    // While an `ok` operation is missing, its return is in the list: the end is never reached before it.
    if (node === undefined || !node.isCall) this.#takeBack(node)
    else if (!this.#tryPlace(node)) this.#cursor = node.next
  }

  #tryPlace(call: ListNode): boolean {
    const decoded = this.#operations[call.number] as DecodedOperation<Op>
    const after = this.#model.step(this.#state, decoded.op)
    if (after === undefined) return false
    const word = call.number >>> 5
    const endWord = Math.max(this.#endWord, word + 1)
    this.#flip(call.number)
    // Every operation before the first that is still in the list has its place.
    const firstWord = this.#firstUnplaced(call) >>> 5
    const hash = this.#placedHash ^ mixHash(this.#model.hash(after), 0x51ed270b)
    if (!this.#memo.add(hash, this.#placed, Math.min(firstWord, endWord), endWord, after)) {
      this.#flip(call.number)
      return false
    }
    // What fits now and leaves the state as it is could be moved here from any later place: no other choice need be tried.
    const isSafe = this.#isObservation[call.number] === true && this.#model.equal(after, this.#state)
    this.#stack.push({ call, stateBefore: this.#state, endWordBefore: this.#endWord, isSafe })
    this.#state = after
    this.#endWord = endWord
    if (call.match !== undefined) this.#missing -= 1
    lift(call)
    this.#cursor = this.#firstFittingObservation() ?? this.#head.next
    return true
  }

  /** Taken before anything else, since it leaves nothing to choose. */
  #firstFittingObservation(): ListNode | undefined {
    for (let node = this.#head.next; node?.isCall === true; node = node.next) {
      if (this.#isObservation[node.number] !== true) continue
      const { op } = this.#operations[node.number] as DecodedOperation<Op>
      const after = this.#model.step(this.#state, op)
      if (after !== undefined && this.#model.equal(after, this.#state)) return node
    }
    return undefined
  }

  #firstUnplaced(placing: ListNode): number {
    let node = this.#head.next
    while (node !== undefined && (node === placing || !node.isCall)) node = node.next
    return node === undefined ? this.#operations.length : node.number
  }

  #takeBack(reached: ListNode | undefined): void {
    this.#rememberLongest(reached)
    for (let frame = this.#stack.pop(); frame !== undefined; frame = this.#stack.pop()) {
      this.#undo(frame)
      if (frame.isSafe) continue
      this.#cursor = frame.call.next
      return
    }
    this.#verdict = 'violation'
  }

  #undo({ call, stateBefore, endWordBefore }: Frame<State>): void {
    unlift(call)
    this.#flip(call.number)
    if (call.match !== undefined) this.#missing += 1
    this.#state = stateBefore
    this.#endWord = endWordBefore
  }

  #rememberLongest(reached: ListNode | undefined): void {
    if (this.#longest !== undefined && this.#stack.length <= this.#longest.placed.length) return
    this.#longest = {
      placed: this.#stack.map(({ call }) => this.#operations[call.number] as DecodedOperation<Op>),
      blocked: reached === undefined ? undefined : this.#operations[reached.number],
    }
  }

  #flip(number: number): void {
    const word = number >>> 5
    this.#placed[word] = (this.#placed[word] ?? 0) ^ (1 << (number & 31))
    this.#placedHash ^= mixHash(number + 1, 0x2545f491)
  }
}
