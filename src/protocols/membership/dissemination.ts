import { claimBytes } from './claim.ts'
import type { Claim, MemberId } from './types.ts'

interface News {
  readonly claim: Claim
  readonly bytes: number
  sent: number
}

/**
 * The news that this member passes on with its messages (section 4.1 of the SWIM paper): each piece a bounded number of times, those that were sent least often
 * first. One piece about each member at most: a newer claim takes the place of the older.
 */
export class Dissemination {
  readonly #news = new Map<MemberId, News>()
  /** By how often they were sent; in each the older first. */
  readonly #bySent: Map<MemberId, News>[] = []

  get size(): number {
    return this.#news.size
  }

  /** `claim` is news, from now on and from the start. */
  add(claim: Claim): void {
    this.remove(claim.id)
    const news = { claim, bytes: claimBytes(claim), sent: 0 }
    this.#news.set(claim.id, news)
    this.#level(0).set(claim.id, news)
  }

  remove(id: MemberId): void {
    const news = this.#news.get(id)
    if (news === undefined) return
    this.#news.delete(id)
    this.#bySent[news.sent]?.delete(id)
  }

  /** How often the news about `id` was sent; `undefined`: there is none, or no more. */
  sentOf(id: MemberId): number | undefined {
    return this.#news.get(id)?.sent
  }

  /** Claims for one message of at most `bytes`; each is given up after its `limit`th time. */
  take(bytes: number, limit: number, except?: MemberId): Claim[] {
    const taken: News[] = []
    let left = bytes
    for (const level of this.#bySent) {
      for (const news of level.values()) {
        if (news.bytes > left || news.claim.id === except) continue
        left -= news.bytes
        taken.push(news)
      }
    }
    for (const news of taken) this.#count(news, limit)
    return taken.map(({ claim }) => claim)
  }

  #count(news: News, limit: number): void {
    const { id } = news.claim
    this.#bySent[news.sent]?.delete(id)
    news.sent++
    if (news.sent >= limit) this.#news.delete(id)
    else this.#level(news.sent).set(id, news)
  }

  #level(sent: number): Map<MemberId, News> {
    let level = this.#bySent[sent]
    while (level === undefined) {
      this.#bySent.push(new Map())
      level = this.#bySent[sent]
    }
    return level
  }
}
