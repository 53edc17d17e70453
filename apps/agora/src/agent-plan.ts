import type { SeededRandom } from './seeded-random.ts'

export type Action =
  | { readonly kind: 'read' }
  | { readonly kind: 'post' }
  | { readonly kind: 'follow'; readonly handle: string }

/** Shares of what an agent does when it does something, once it follows a few others. People read far more than they write. */
const shareOfReads = 0.7
const shareOfPosts = 0.2
/** An agent new to the place first finds somebody to read. */
const firstFollows = 3
/** Of the posts that it is shown an agent answers so many. */
const shareAnswered = 0.02

/** Who follows whom among all agents of a run: what popularity is drawn from. */
export class Popularity {
  /** Every handle once, and once more for each follower: a draw from it is preferential attachment (Barabási and Albert, 1999). */
  readonly #tickets: string[] = []
  readonly #ticketsMax: number

  constructor(ticketsMax = 1_000_000) {
    this.#ticketsMax = ticketsMax
  }

  joined(handle: string): void {
    this.#add(handle)
  }

  followed(handle: string): void {
    this.#add(handle)
  }

  /** Somebody, the more likely the more followers they have; `undefined` when ten draws gave only `except`. */
  draw(random: SeededRandom, except: ReadonlySet<string>): string | undefined {
    for (let tries = 0; tries < 10; tries++) {
      const handle = random.pick(this.#tickets)
      if (handle !== undefined && !except.has(handle)) return handle
    }
    return undefined
  }

  #add(handle: string): void {
    if (this.#tickets.length < this.#ticketsMax) this.#tickets.push(handle)
  }
}

/** What one agent does and when. The same seed gives the same decisions in the same circumstances. */
export class AgentPlan {
  readonly #random: SeededRandom
  readonly #popularity: Popularity
  readonly #meanPauseMs: number
  readonly #followsMax: number
  /** Itself and whom it follows. */
  readonly #known: Set<string>

  constructor(
    handle: string,
    random: SeededRandom,
    popularity: Popularity,
    options: { readonly meanPauseMs: number; readonly followsMax: number },
  ) {
    this.#random = random
    this.#popularity = popularity
    this.#meanPauseMs = options.meanPauseMs
    this.#followsMax = options.followsMax
    this.#known = new Set([handle])
  }

  /** Until the next action, at most ten times the mean. */
  pauseMs(): number {
    return Math.min(this.#meanPauseMs * 10, this.#random.exponential(this.#meanPauseMs))
  }

  next(): Action {
    const follows = this.#known.size - 1
    const draw = this.#random.float()
    if (follows >= firstFollows && draw < shareOfReads) return { kind: 'read' }
    if (follows >= firstFollows && draw < shareOfReads + shareOfPosts) return { kind: 'post' }
    const handle = follows < this.#followsMax ? this.#popularity.draw(this.#random, this.#known) : undefined
    return handle === undefined ? { kind: 'post' } : { kind: 'follow', handle }
  }

  followed(handle: string): void {
    this.#known.add(handle)
    this.#popularity.followed(handle)
  }

  answersPushed(): boolean {
    return this.#random.float() < shareAnswered
  }
}
