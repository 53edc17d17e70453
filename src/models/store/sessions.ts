import { BTree } from '../../base/btree.ts'
import { AlthingError, type Outcome } from '../../contracts/errors.ts'
import { keyValueBytes } from './key-space.ts'
import type { StoreModelLimits } from './limits.ts'
import { StateDigest, textDigest } from './state-digest.ts'
import type { SessionStamp, StoreReply } from './types.ts'

/** Once frozen it is never changed again: the table changes a copy. */
export interface Session {
  readonly id: number
  readonly ownerKey: string
  /** Commands of sessions are counted: the number of the last one of this session. */
  lastUse: number
  /** No reply with a sequence up to here is kept or given. */
  acknowledged: number
  /** By sequence; all sequences are > `acknowledged`. */
  readonly replies: Map<number, StoreReply>
  replyBytes: number
}

export interface FrozenSessions {
  readonly nextSession: number
  readonly uses: number
  readonly sessions: BTree<number, Session>
}

/**
 * The sessions of clients (Ongaro's thesis, section 6.3): what makes a retry harmless.
 *
 * The `outcome` of a refusal speaks of the sequence number, not of the copy of the command at hand: `none` only where no copy was or will be applied. So a
 * session that was once given out and is gone gives `unknown` (an earlier copy may have been applied before the eviction), and so does `overloaded` (the same
 * sequence, sent again, may be accepted). A client that knows that it sent one copy only may state `none` instead.
 */
export class SessionTable {
  readonly #limits: StoreModelLimits
  #nextSession: number
  #uses: number
  #replyBytes = 0
  readonly #sessions: BTree<number, Session>
  /** The same sessions, least recently used first. */
  readonly #byUse = new Map<number, Session>()
  readonly #byOwner = new Map<string, number>()
  /** Sessions in here have been copied since the last `freeze`, or made since. */
  #unshared = new WeakSet<Session>()

  constructor(limits: StoreModelLimits, state?: FrozenSessions) {
    this.#limits = limits
    this.#nextSession = state?.nextSession ?? 1
    this.#uses = state?.uses ?? 0
    this.#sessions = state?.sessions.clone() ?? new BTree()
    for (const session of [...this.#sessions.values()].sort((a, b) => a.lastUse - b.lastUse)) {
      this.#byUse.set(session.id, session)
      this.#byOwner.set(session.ownerKey, session.id)
      this.#replyBytes += session.replyBytes
    }
  }

  get size(): number {
    return this.#sessions.size
  }

  /** The same owner gets the same session, as long as it is open. */
  open(ownerKey: string): number {
    const open = this.#byOwner.get(ownerKey)
    if (open !== undefined) {
      this.#use(open)
      return open
    }
    if (this.#sessions.size >= this.#limits.sessionsMax) this.#evictLeastRecentlyUsed()
    const session: Session = {
      id: this.#nextSession++,
      ownerKey,
      lastUse: ++this.#uses,
      acknowledged: 0,
      replies: new Map(),
      replyBytes: 0,
    }
    this.#unshared.add(session)
    this.#sessions.set(session.id, session)
    this.#byUse.set(session.id, session)
    this.#byOwner.set(ownerKey, session.id)
    return session.id
  }

  /** Closing a session that is not open changes nothing. */
  close(id: number): void {
    const session = this.#byUse.get(id)
    if (session === undefined) return
    this.#sessions.delete(id)
    this.#byUse.delete(id)
    this.#byOwner.delete(session.ownerKey)
    this.#replyBytes -= session.replyBytes
  }

  /** `undefined` when the command is to be applied now, and its reply to be kept; else the answer, and nothing is to be applied. */
  admit(stamp: SessionStamp): StoreReply | undefined {
    const session = this.#use(stamp.session)
    if (session === undefined) return this.#unknownSession(stamp.session)
    this.#forgetAcknowledged(session, stamp.acknowledged)
    if (stamp.sequence <= session.acknowledged) return alreadyAcknowledged(stamp, session.acknowledged)
    const kept = session.replies.get(stamp.sequence)
    if (kept !== undefined) return kept
    const { sessionRepliesMax, sessionReplyBytesMax } = this.#limits
    const hasRoom = session.replies.size < sessionRepliesMax && session.replyBytes < sessionReplyBytesMax
    return hasRoom ? undefined : tooManyReplies(stamp, session)
  }

  /** Keeps the reply to a command that {@link admit} let pass. */
  keep(stamp: SessionStamp, reply: StoreReply): void {
    const session = this.#byUse.get(stamp.session)
    if (session === undefined) return
    const bytes = replyBytes(reply)
    session.replies.set(stamp.sequence, reply)
    session.replyBytes += bytes
    this.#replyBytes += bytes
    while (this.#replyBytes > this.#limits.replyBytesMax && this.#byUse.size > 1)
      this.#evictLeastRecentlyUsed()
  }

  /** Whether the reply to this command is kept: a repeat of it is answered from there, and changes nothing. */
  hasReply({ session, sequence }: SessionStamp): boolean {
    return this.#byUse.get(session)?.replies.has(sequence) ?? false
  }

  /** Takes time in proportion to the number of sessions; the replies themselves are not looked at. */
  hash(): string {
    const digest = new StateDigest()
    for (const { id, ownerKey, lastUse, acknowledged, replies, replyBytes } of this.#byUse.values()) {
      digest.countNumbers(textDigest(ownerKey), [id, lastUse, acknowledged, replies.size, replyBytes])
    }
    return digest.text([this.#nextSession, this.#uses, this.#byUse.size])
  }

  freeze(): FrozenSessions {
    this.#unshared = new WeakSet()
    return { nextSession: this.#nextSession, uses: this.#uses, sessions: this.#sessions.clone() }
  }

  /** The session as one that may be changed, now the most recently used. */
  #use(id: number): Session | undefined {
    let session = this.#byUse.get(id)
    if (session === undefined) return undefined
    if (!this.#unshared.has(session)) {
      session = { ...session, replies: new Map(session.replies) }
      this.#unshared.add(session)
      this.#sessions.set(id, session)
    }
    session.lastUse = ++this.#uses
    this.#byUse.delete(id)
    this.#byUse.set(id, session)
    return session
  }

  #forgetAcknowledged(session: Session, acknowledged: number): void {
    if (acknowledged <= session.acknowledged) return
    if (acknowledged - session.acknowledged <= session.replies.size) {
      for (let i = session.acknowledged + 1; i <= acknowledged; i++) this.#forget(session, i)
    } else {
      for (const sequence of session.replies.keys())
        if (sequence <= acknowledged) this.#forget(session, sequence)
    }
    session.acknowledged = acknowledged
  }

  #forget(session: Session, sequence: number): void {
    const reply = session.replies.get(sequence)
    if (reply === undefined) return
    session.replies.delete(sequence)
    const bytes = replyBytes(reply)
    session.replyBytes -= bytes
    this.#replyBytes -= bytes
  }

  #evictLeastRecentlyUsed(): void {
    for (const id of this.#byUse.keys()) {
      this.close(id)
      return
    }
  }

  #unknownSession(id: number): StoreReply {
    const wasOpen = id < this.#nextSession
    const why = wasOpen ? 'is not open any more' : 'was never opened'
    return refuse('session-expired', `session ${id} ${why}`, wasOpen ? 'unknown' : 'none')
  }
}

/** What a kept reply counts against the bounds: the keys and values it holds on to. */
export function replyBytes(reply: StoreReply): number {
  let bytes = 100
  if (!reply.ok || reply.type !== 'txn') return bytes
  for (const part of reply.reply.replies) {
    if (part.op === 'put') bytes += part.previous === undefined ? 0 : keyValueBytes(part.previous)
    else for (const kv of (part.op === 'range' ? part.kvs : part.previous) ?? []) bytes += keyValueBytes(kv)
  }
  return bytes
}

function alreadyAcknowledged(stamp: SessionStamp, acknowledged: number): StoreReply {
  return refuse(
    'session-expired',
    `command ${stamp.sequence} of session ${stamp.session} comes after all up to ${acknowledged} were acknowledged: its reply is gone`,
    'unknown',
  )
}

function tooManyReplies(stamp: SessionStamp, session: Session): StoreReply {
  return refuse(
    'overloaded',
    `session ${stamp.session} has ${session.replies.size} replies of ${session.replyBytes} bytes that were not acknowledged, the most allowed`,
    'unknown',
  )
}

function refuse(code: 'session-expired' | 'overloaded', message: string, outcome: Outcome): StoreReply {
  return { ok: false, error: new AlthingError(code, message, { outcome }).toJSON() }
}
