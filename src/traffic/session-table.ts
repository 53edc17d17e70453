export interface SessionTableOptions {
  /** Past it the session used least recently is forgotten, those with open tunnels last. Default 200,000. */
  readonly sessionsMax: number
  /** A session without tunnels is forgotten after so long without a request. Default 10 minutes. */
  readonly idleMs: number
}

export interface Session {
  readonly key: string
  readonly instanceId: string
  readonly tunnels: number
}

interface Entry {
  key: string
  instanceId: string
  usedMs: number
  tunnels: number
}

/** How many of the oldest are looked at when room is needed: keeps an insert O(1) when all of them have tunnels. */
const evictionLooks = 8

/** Which instance serves which client, in order of use. Pure: time is given. */
export class SessionTable {
  readonly #options: SessionTableOptions
  /** Least recently used first: an entry that is used is put in anew. */
  readonly #entries = new Map<string, Entry>()
  readonly #counts = new Map<string, number>()

  constructor(options: SessionTableOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  countOn(instanceId: string): number {
    return this.#counts.get(instanceId) ?? 0
  }

  /** The session, unless it has been idle for too long. */
  find(key: string, nowMs: number): Session | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (!this.#isIdle(entry, nowMs)) return entry
    this.#forget(entry)
    return undefined
  }

  /** Marks the session as used now. */
  touch(key: string, nowMs: number): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    entry.usedMs = nowMs
    this.#entries.delete(key)
    this.#entries.set(key, entry)
  }

  /** Begins the session, or moves it. */
  bind(key: string, instanceId: string, nowMs: number): void {
    const old = this.#entries.get(key)
    if (old !== undefined) this.#forget(old)
    else this.#makeRoom(nowMs)
    this.#entries.set(key, { key, instanceId, usedMs: nowMs, tunnels: 0 })
    this.#counts.set(instanceId, this.countOn(instanceId) + 1)
  }

  /** A tunnel of the session opened on this instance. What it returns is to be given to {@link tunnelClosed}. */
  tunnelOpened(key: string, instanceId: string): Session | undefined {
    const entry = this.#entries.get(key)
    if (entry?.instanceId !== instanceId) return undefined
    entry.tunnels += 1
    return entry
  }

  /** Changes nothing when the session has moved in the meantime, be it away and back: its tunnels were counted with the old place. */
  tunnelClosed(session: Session | undefined, nowMs: number): void {
    const entry = session === undefined ? undefined : this.#entries.get(session.key)
    if (entry === undefined || entry !== session) return
    entry.tunnels -= 1
    this.touch(entry.key, nowMs)
  }

  #isIdle(entry: Entry, nowMs: number): boolean {
    return entry.tunnels === 0 && nowMs - entry.usedMs > this.#options.idleMs
  }

  #makeRoom(nowMs: number): void {
    let looks = 0
    for (const entry of this.#entries.values()) {
      if (looks++ >= evictionLooks) break
      const isFull = this.#entries.size >= this.#options.sessionsMax
      if (this.#isIdle(entry, nowMs) || (isFull && entry.tunnels === 0)) this.#forget(entry)
    }
    if (this.#entries.size < this.#options.sessionsMax) return
    const [oldest] = this.#entries.values()
    if (oldest !== undefined) this.#forget(oldest)
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.key)
    const left = this.countOn(entry.instanceId) - 1
    if (left > 0) this.#counts.set(entry.instanceId, left)
    else this.#counts.delete(entry.instanceId)
  }
}
