/** One line of the event log. */
export interface LoggedEvent {
  readonly timeMs: number
  /** `timer`, `frame`, `disk`, `log`, `fault`, `process`, … */
  readonly kind: string
  /** The process concerned, or a pair of hosts. */
  readonly subject: string
  readonly detail: string | number
}

/**
 * The log of all that happened: a hash over every event, and the last {@link EventLog.capacity} events themselves. Two runs
 * that took the same course have the same hash; the first event that differs makes it differ from there on.
 */
export class EventLog {
  readonly capacity: number
  readonly #recent: LoggedEvent[] = []
  readonly #observe: ((event: LoggedEvent) => void) | undefined
  #next = 0
  #low = 0x811c9dc5
  #high = 0x01000193
  #count = 0

  constructor(capacity: number, observe: ((event: LoggedEvent) => void) | undefined) {
    this.capacity = capacity
    this.#observe = observe
  }

  get count(): number {
    return this.#count
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0')
  }

  add(timeUs: number, kind: string, subject: string, detail: string | number): void {
    this.#count++
    this.#mix(timeUs)
    this.#mixText(kind)
    this.#mixText(subject)
    if (typeof detail === 'number') this.#mix(detail)
    else this.#mixText(detail)
    if (this.capacity === 0 && this.#observe === undefined) return
    this.#keep({ timeMs: timeUs / 1000, kind, subject, detail })
  }

  /** The last events, oldest first. */
  recent(): LoggedEvent[] {
    return [...this.#recent.slice(this.#next), ...this.#recent.slice(0, this.#next)]
  }

  #keep(event: LoggedEvent): void {
    this.#observe?.(event)
    if (this.capacity === 0) return
    this.#recent[this.#next] = event
    this.#next = (this.#next + 1) % this.capacity
  }

  #mix(value: number): void {
    const low = value | 0
    const high = (value / 0x1_0000_0000) | 0
    this.#low = Math.imul(this.#low ^ low, 0x85ebca6b) ^ (this.#low >>> 13)
    this.#high = (Math.imul(this.#high ^ high, 0xc2b2ae35) + this.#low) ^ (this.#high >>> 15)
  }

  #mixText(text: string): void {
    let hash = text.length
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    this.#mix(hash)
  }
}

const digestedBytes = 64

/** A short digest of bytes for the event log: their length and a hash of the first of them. */
export function digest(bytes: Uint8Array): number {
  const end = Math.min(bytes.byteLength, digestedBytes)
  let hash = bytes.byteLength
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  return hash
}
