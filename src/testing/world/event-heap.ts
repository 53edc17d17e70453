/** Something that will happen at a point of virtual time. Events of the same time happen in the order of their making. */
export interface ScheduledEvent {
  readonly atUs: number
  readonly sequence: number
  /** `undefined` once cancelled or done, so that what it holds can be freed while it waits in the heap. */
  action: (() => void) | undefined
}

/** A binary min-heap of events, ordered by (`atUs`, `sequence`). */
export class EventHeap {
  readonly #events: ScheduledEvent[] = []

  get size(): number {
    return this.#events.length
  }

  peek(): ScheduledEvent | undefined {
    return this.#events[0]
  }

  push(event: ScheduledEvent): void {
    const events = this.#events
    let index = events.length
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = events[parentIndex] as ScheduledEvent
      if (isBefore(parent, event)) break
      events[index] = parent
      index = parentIndex
    }
    events[index] = event
  }

  pop(): ScheduledEvent | undefined {
    const events = this.#events
    const first = events[0]
    const last = events.pop()
    if (first === undefined || last === undefined || first === last) return first
    let index = 0
    for (;;) {
      const childIndex = this.#smallerChild(index)
      const child = events[childIndex]
      if (child === undefined || isBefore(last, child)) break
      events[index] = child
      index = childIndex
    }
    events[index] = last
    return first
  }

  #smallerChild(index: number): number {
    const left = 2 * index + 1
    const leftEvent = this.#events[left]
    const rightEvent = this.#events[left + 1]
    if (leftEvent === undefined || rightEvent === undefined) return left
    return isBefore(leftEvent, rightEvent) ? left : left + 1
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.sequence < b.sequence)
}
