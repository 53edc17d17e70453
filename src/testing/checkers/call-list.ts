import type { Operation } from '../history/operation.ts'

/** A call or a return in the doubly linked list of Lowe 2017, section 3: in the order of time, calls before returns at equal times. */
export interface ListNode {
  /** Number of the operation within the part, in the order of calls. */
  readonly number: number
  /** The return of a call; `undefined` for a return, and for a call of unknown outcome, which may take effect at any later time. */
  readonly match: ListNode | undefined
  readonly isCall: boolean
  previous: ListNode | undefined
  next: ListNode | undefined
}

/** Builds the list of `operations`, which are ordered by call, and returns its head: a node before the first that is never removed. */
export function createCallList(operations: readonly Operation[]): ListNode {
  const timed: { readonly time: number; readonly node: ListNode }[] = []
  operations.forEach((operation, number) => {
    const end = operation.outcome === 'ok' ? createNode(number, false, undefined) : undefined
    timed.push({ time: operation.calledAt, node: createNode(number, true, end) })
    if (end !== undefined) timed.push({ time: operation.returnedAt, node: end })
  })
  timed.sort(
    (a, b) =>
      a.time - b.time || Number(b.node.isCall) - Number(a.node.isCall) || a.node.number - b.node.number,
  )
  const head = createNode(-1, false, undefined)
  let last = head
  for (const { node } of timed) {
    node.previous = last
    last.next = node
    last = node
  }
  return head
}

/** Takes a call and its return out of the list: the operation has been given its place. */
export function lift(call: ListNode): void {
  unlink(call)
  if (call.match !== undefined) unlink(call.match)
}

/** Undoes the newest {@link lift} that has not been undone. */
export function unlift(call: ListNode): void {
  if (call.match !== undefined) relink(call.match)
  relink(call)
}

function createNode(number: number, isCall: boolean, match: ListNode | undefined): ListNode {
  return { number, isCall, match, previous: undefined, next: undefined }
}

function unlink(node: ListNode): void {
  if (node.previous !== undefined) node.previous.next = node.next
  if (node.next !== undefined) node.next.previous = node.previous
}

function relink(node: ListNode): void {
  if (node.previous !== undefined) node.previous.next = node
  if (node.next !== undefined) node.next.previous = node
}
