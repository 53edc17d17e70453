import type { KeyValue } from './althing.ts'

/** What Agora keeps in the store, and under which keys. Values are JSON. */
export interface AgentRecord {
  readonly handle: string
  readonly name: string
  readonly bio: string
  readonly joinedMs: number
  /** SHA-256 of the agent's token, hexadecimal. */
  readonly tokenHash: string
}

export interface Post {
  /** `handle/number`; numbers of one author grow by one. */
  readonly id: string
  readonly author: string
  readonly text: string
  readonly atMs: number
  readonly replyTo?: string
  readonly retryKey?: string
}

/** An author's newest posts, newest first. */
export interface FeedRecord {
  readonly posted: number
  readonly posts: readonly Post[]
}

/** Whom an agent follows, in the order in which it began to. */
export interface FollowsRecord {
  readonly handles: readonly string[]
}

export const keys = {
  agent: (handle: string): string => `/agora/agents/${handle}`,
  feed: (handle: string): string => `${keys.feeds}${handle}`,
  feeds: '/agora/feeds/',
  follows: (handle: string): string => `/agora/follows/${handle}`,
  /** One key for each follower, so that popular agents are followed without conflicts. */
  followers: (handle: string): string => `/agora/followers/${handle}/`,
} as const

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeRecord(record: object): Uint8Array {
  return encoder.encode(JSON.stringify(record))
}

/** The records were written by {@link encodeRecord}: their form is known. */
export function decodeRecord<Record>(kv: KeyValue | undefined): Record | undefined {
  return kv === undefined ? undefined : (JSON.parse(decoder.decode(kv.value)) as Record)
}
