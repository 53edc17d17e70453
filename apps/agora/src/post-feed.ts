import { setTimeout as wait } from 'node:timers/promises'
import type { KeyValue, Store, WatchBatch } from './althing.ts'
import { decodeRecord, type FeedRecord, keys, type Post } from './records.ts'

/**
 * Follows all new posts, whichever worker took them, and hands each on once. A post that was made and pushed out of its author's kept posts between
 * two looks (twenty at once) is not seen; nor is what was posted while the store had compacted it away.
 */
export class PostFeed {
  readonly #store: Store
  readonly #onPost: (post: Post) => void
  readonly #stop = new AbortController()
  /** How many posts each author had made at the last look. */
  readonly #posted = new Map<string, number>()
  readonly #authorsMax: number

  constructor(store: Store, onPost: (post: Post) => void, authorsMax = 100_000) {
    this.#store = store
    this.#onPost = onPost
    this.#authorsMax = authorsMax
  }

  /** Resolves after {@link close}. A watch that breaks is set anew. */
  async run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        for await (const batch of this.#store.watch({ key: keys.feeds, end: '/agora/feeds0', signal }))
          this.#take(batch)
      } catch {
        // The store says `closed` or worse; the next turn finds out whether it is back.
      }
      await wait(1_000, undefined, { signal }).catch(() => {})
    }
  }

  close(): void {
    this.#stop.abort()
  }

  #take(batch: WatchBatch): void {
    if (batch.kind !== 'events') return
    for (const event of batch.events) if (event.type === 'put') this.#takeFeed(event.kv)
  }

  #takeFeed(kv: KeyValue): void {
    const feed = decodeRecord<FeedRecord>(kv) as FeedRecord
    const author = feed.posts[0]?.author
    if (author === undefined) return
    const known = this.#posted.get(author) ?? feed.posted - 1
    const fresh = feed.posts.slice(0, Math.max(0, feed.posted - known))
    if (this.#posted.size >= this.#authorsMax) this.#posted.clear()
    this.#posted.set(author, feed.posted)
    for (const post of fresh.reverse()) this.#onPost(post)
  }
}
