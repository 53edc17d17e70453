import type { SeededRandom } from '../../testing/world/seeded-random.ts'

/** How a kind of clock stamps the three kinds of events. */
export interface Stamping<Stamp> {
  local(node: string): Stamp
  send(node: string): Stamp
  receive(node: string, message: Stamp): Stamp
}

export interface StampedEvent<Stamp> {
  readonly node: string
  readonly stamp: Stamp
  /** Places, in the list, of all events that happened before this one: known by bookkeeping, not by clocks. */
  readonly causes: ReadonlySet<number>
}

/** Events of up to five nodes that talk: messages are late, overtake each other, are lost and doubled. */
export function randomHistory<Stamp>(
  random: SeededRandom,
  stamping: Stamping<Stamp>,
  length = 40,
): StampedEvent<Stamp>[] {
  const nodes = ['a', 'b', 'c', 'd', 'e'].slice(0, random.integer(2, 5))
  const events: StampedEvent<Stamp>[] = []
  const last = new Map<string, number>()
  const messages: number[] = []
  const add = (node: string, stamp: Stamp, direct: readonly (number | undefined)[]): void => {
    const causes = new Set<number>()
    for (const cause of direct) {
      if (cause === undefined) continue
      causes.add(cause)
      for (const earlier of (events[cause] as StampedEvent<Stamp>).causes) causes.add(earlier)
    }
    last.set(node, events.length)
    events.push({ node, stamp, causes })
  }
  while (events.length < length) {
    const node = random.pick(nodes)
    const kind = random.integer(0, 2)
    if (kind === 0) add(node, stamping.local(node), [last.get(node)])
    else if (kind === 1) {
      add(node, stamping.send(node), [last.get(node)])
      messages.push(events.length - 1)
    } else if (messages.length > 0) {
      const message = random.pick(messages)
      const { stamp } = events[message] as StampedEvent<Stamp>
      add(node, stamping.receive(node, stamp), [last.get(node), message])
    }
  }
  return events
}
