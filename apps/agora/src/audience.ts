import type { Post } from './records.ts'

/** An agent's open socket. */
export interface Listener {
  readonly handle: string
  send(message: object): void
}

/** Who of the agents connected here hears whom. */
export class Audience {
  readonly #byAuthor = new Map<string, Set<Listener>>()
  readonly #follows = new Map<Listener, readonly string[]>()

  get size(): number {
    return this.#follows.size
  }

  /** Adds the listener, or changes whom it hears. */
  set(listener: Listener, authors: readonly string[]): void {
    this.#leaveAll(listener)
    this.#follows.set(listener, authors)
    for (const author of authors) {
      const listeners = this.#byAuthor.get(author) ?? new Set()
      listeners.add(listener)
      this.#byAuthor.set(author, listeners)
    }
  }

  /** The agent follows others now: all of its sockets here hear them. */
  followsChanged(handle: string, authors: readonly string[]): void {
    for (const listener of [...this.#follows.keys()])
      if (listener.handle === handle) this.set(listener, authors)
  }

  remove(listener: Listener): void {
    this.#leaveAll(listener)
    this.#follows.delete(listener)
  }

  /** Number of listeners that were sent the post. */
  publish(post: Post): number {
    const listeners = this.#byAuthor.get(post.author)
    if (listeners === undefined) return 0
    const message = { type: 'post', post }
    for (const listener of listeners) listener.send(message)
    return listeners.size
  }

  #leaveAll(listener: Listener): void {
    for (const author of this.#follows.get(listener) ?? []) {
      const listeners = this.#byAuthor.get(author)
      listeners?.delete(listener)
      if (listeners?.size === 0) this.#byAuthor.delete(author)
    }
  }
}
