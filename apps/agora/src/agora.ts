import { createHash, timingSafeEqual } from 'node:crypto'
import { AlthingError, type KeyValue, type Operation, type Store, type TxnRequest } from './althing.ts'
import type { NewPost, Registration } from './forms.ts'
import { limits } from './limits.ts'
import {
  type AgentRecord,
  decodeRecord,
  encodeRecord,
  type FeedRecord,
  type FollowsRecord,
  keys,
  type Post,
} from './records.ts'

export interface Profile {
  readonly handle: string
  readonly name: string
  readonly bio: string
  readonly joinedMs: number
  readonly followers: number
  readonly following: number
  readonly posts: number
}

export interface AgoraOptions {
  readonly store: Store
  readonly wallMs: () => number
  /** For each call of the store. Default 5000. */
  readonly timeoutMs?: number
}

const noFeed: FeedRecord = { posted: 0, posts: [] }

/**
 * The social platform, over any store. A post is one write, to its author's feed; a timeline is put together when it is read, from the
 * feeds of those whom the reader follows, in one transaction: so it shows each feed as of one moment.
 */
export class Agora {
  readonly #store: Store
  readonly #wallMs: () => number
  readonly #call: { readonly timeoutMs: number }
  /** Hashes of tokens, which never change, by handle: least recently learnt first. */
  readonly #tokenHashes = new Map<string, string>()

  constructor(options: AgoraOptions) {
    this.#store = options.store
    this.#wallMs = options.wallMs
    this.#call = { timeoutMs: options.timeoutMs ?? 5_000 }
  }

  /** The first to register a handle has it. The same agent may do it again (a retry): `isNew` is then false. Another: `conflict`. */
  async register(
    registration: Registration,
  ): Promise<{ readonly profile: Profile; readonly isNew: boolean }> {
    const { handle, token, name = handle, bio = '' } = registration
    const record: AgentRecord = { handle, name, bio, joinedMs: this.#wallMs(), tokenHash: hashOf(token) }
    const key = keys.agent(handle)
    const reply = await this.#store.txn(
      {
        compare: [{ target: 'version', key, op: '=', value: 0 }],
        then: [{ op: 'put', key, value: encodeRecord(record) }],
        else: [{ op: 'range', key }],
      },
      this.#call,
    )
    if (reply.succeeded) {
      this.#learn(record)
      return { profile: { ...publicOf(record), followers: 0, following: 0, posts: 0 }, isNew: true }
    }
    const holder = decodeRecord<AgentRecord>(kvsOf(reply.replies)[0]?.[0]) as AgentRecord
    if (!sameHash(holder.tokenHash, record.tokenHash))
      throw new AlthingError('conflict', `the handle ${handle} is taken`, { outcome: 'none' })
    this.#learn(holder)
    return { profile: await this.profile(handle), isNew: false }
  }

  /** Resolves when `token` is the agent's; rejects with `permission-denied`, also when there is no such agent. */
  async authenticate(handle: string, token: string): Promise<void> {
    const known = this.#tokenHashes.get(handle) ?? (await this.#tokenHashOf(handle))
    if (known === undefined || !sameHash(known, hashOf(token)))
      throw new AlthingError('permission-denied', 'no agent of this handle has this token', {
        outcome: 'none',
      })
  }

  async profile(handle: string): Promise<Profile> {
    const followers = keys.followers(handle)
    const { replies } = await this.#store.txn(
      {
        then: [
          { op: 'range', key: keys.agent(handle) },
          { op: 'range', key: followers, end: endOf(followers), countOnly: true },
          { op: 'range', key: keys.follows(handle) },
          { op: 'range', key: keys.feed(handle) },
        ],
      },
      this.#call,
    )
    const [agent, , follows, feed] = kvsOf(replies)
    const record = decodeRecord<AgentRecord>(agent?.[0])
    if (record === undefined) throw unknownAgent(handle)
    const counted = replies[1]
    return {
      ...publicOf(record),
      followers: counted?.op === 'range' ? counted.count : 0,
      following: decodeRecord<FollowsRecord>(follows?.[0])?.handles.length ?? 0,
      posts: decodeRecord<FeedRecord>(feed?.[0])?.posted ?? 0,
    }
  }

  /** Following twice is following once. `too-large` past {@link limits.followsMax}; `not-found` when there is no such agent. */
  async follow(handle: string, followee: string): Promise<readonly string[]> {
    if (handle === followee)
      throw new AlthingError('invalid-argument', 'an agent cannot follow itself', { outcome: 'none' })
    return this.#changeFollows(handle, followee, (handles) => {
      if (handles.includes(followee)) return undefined
      if (handles.length >= limits.followsMax)
        throw new AlthingError('too-large', `an agent follows at most ${limits.followsMax} others`, {
          outcome: 'none',
          details: { followsMax: limits.followsMax },
        })
      return [...handles, followee]
    })
  }

  async unfollow(handle: string, followee: string): Promise<readonly string[]> {
    return this.#changeFollows(handle, followee, (handles) =>
      handles.includes(followee) ? handles.filter((each) => each !== followee) : undefined,
    )
  }

  async following(handle: string): Promise<readonly string[]> {
    const { kvs } = await this.#store.range({ key: keys.follows(handle) }, this.#call)
    return decodeRecord<FollowsRecord>(kvs[0])?.handles ?? []
  }

  async post(author: string, input: NewPost): Promise<Post> {
    const key = keys.feed(author)
    let made: Post | undefined
    await this.#update(async () => {
      const { kvs } = await this.#store.range({ key }, this.#call)
      const feed = decodeRecord<FeedRecord>(kvs[0]) ?? noFeed
      made = feed.posts.find((post) => input.retryKey !== undefined && post.retryKey === input.retryKey)
      if (made !== undefined) return undefined
      made = { id: `${author}/${feed.posted + 1}`, author, atMs: this.#wallMs(), ...input }
      const posts = [made, ...feed.posts].slice(0, limits.postsPerAuthorMax)
      return {
        compare: [unchanged(key, kvs[0])],
        then: [{ op: 'put', key, value: encodeRecord({ posted: feed.posted + 1, posts }) }],
      }
    })
    return made as Post
  }

  /** The author's newest posts, newest first. */
  async postsOf(author: string): Promise<readonly Post[]> {
    const { replies } = await this.#store.txn(
      {
        then: [
          { op: 'range', key: keys.agent(author), keysOnly: true },
          { op: 'range', key: keys.feed(author) },
        ],
      },
      this.#call,
    )
    const [agent, feed] = kvsOf(replies)
    if (agent?.[0] === undefined) throw unknownAgent(author)
    return decodeRecord<FeedRecord>(feed?.[0])?.posts ?? []
  }

  /** Own posts and those of the followed, newest first. */
  async timeline(handle: string, limit: number): Promise<readonly Post[]> {
    const authors = [handle, ...(await this.following(handle))]
    const reads = authors.map((author): Operation => ({ op: 'range', key: keys.feed(author) }))
    const { replies } = await this.#store.txn({ then: reads }, this.#call)
    const posts = kvsOf(replies).flatMap(([feed]) => decodeRecord<FeedRecord>(feed)?.posts ?? [])
    return posts.sort((a, b) => b.atMs - a.atMs || (a.id < b.id ? -1 : 1)).slice(0, limit)
  }

  async #changeFollows(
    handle: string,
    followee: string,
    change: (handles: readonly string[]) => readonly string[] | undefined,
  ): Promise<readonly string[]> {
    const key = keys.follows(handle)
    const edge = keys.followers(followee) + handle
    let handles: readonly string[] = []
    await this.#update(async () => {
      const { replies } = await this.#store.txn(
        {
          then: [
            { op: 'range', key },
            { op: 'range', key: keys.agent(followee), keysOnly: true },
          ],
        },
        this.#call,
      )
      const [own, other] = kvsOf(replies)
      if (other?.[0] === undefined) throw unknownAgent(followee)
      handles = decodeRecord<FollowsRecord>(own?.[0])?.handles ?? []
      const changed = change(handles)
      if (changed === undefined) return undefined
      handles = changed
      const edgeChange: Operation = changed.includes(followee)
        ? { op: 'put', key: edge, value: new Uint8Array() }
        : { op: 'delete', key: edge }
      return {
        compare: [unchanged(key, own?.[0])],
        then: [{ op: 'put', key, value: encodeRecord({ handles: changed }) }, edgeChange],
      }
    })
    return handles
  }

  /** Reads, then writes if nobody else has written in between; else again. `undefined`: nothing is to be written. */
  async #update(attempt: () => Promise<TxnRequest | undefined>): Promise<void> {
    for (let attempts = 0; attempts < limits.writeAttemptsMax; attempts++) {
      const request = await attempt()
      if (request === undefined) return
      const { succeeded } = await this.#store.txn(request, this.#call)
      if (succeeded) return
    }
    throw new AlthingError('overloaded', 'others change the same record all the time', { outcome: 'none' })
  }

  async #tokenHashOf(handle: string): Promise<string | undefined> {
    const { kvs } = await this.#store.range({ key: keys.agent(handle) }, this.#call)
    const record = decodeRecord<AgentRecord>(kvs[0])
    if (record !== undefined) this.#learn(record)
    return record?.tokenHash
  }

  #learn(record: AgentRecord): void {
    if (this.#tokenHashes.size >= limits.knownTokensMax) {
      const [oldest] = this.#tokenHashes.keys()
      this.#tokenHashes.delete(oldest as string)
    }
    this.#tokenHashes.set(record.handle, record.tokenHash)
  }
}

function kvsOf(replies: Awaited<ReturnType<Store['txn']>>['replies']): (readonly KeyValue[])[] {
  return replies.map((reply) => (reply.op === 'range' ? reply.kvs : []))
}

function unchanged(
  key: string,
  read: KeyValue | undefined,
): { target: 'modRevision'; key: string; op: '='; value: number } {
  return { target: 'modRevision', key, op: '=', value: read?.modRevision ?? 0 }
}

/** The prefix ends with a slash: the end of its range is the same with the next character. */
function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`
}

function publicOf(record: AgentRecord): Pick<Profile, 'handle' | 'name' | 'bio' | 'joinedMs'> {
  return { handle: record.handle, name: record.name, bio: record.bio, joinedMs: record.joinedMs }
}

function unknownAgent(handle: string): AlthingError {
  return new AlthingError('not-found', `there is no agent ${handle}`, { outcome: 'none' })
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function sameHash(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'))
}
