import { type Duration, parseDurationMs } from '../base/duration.ts'
import { AlthingError, asAlthingError, invalidArgument } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import { decodeSwimMessage, encodeSwimMessage } from '../protocols/membership/message-codec.ts'
import { SwimRunner } from '../protocols/membership/swim-runner.ts'
import type {
  MemberId,
  MemberState,
  MemberView,
  SwimEffect,
  SwimMessage,
  SwimStats,
} from '../protocols/membership/types.ts'
import { abortedError } from '../coordination/abortable.ts'
import { checkDegraded, checkMemberAddress, checkTags } from '../protocols/membership/validate-options.ts'
import { ChangeFeed } from './change-feed.ts'
import type { MembershipTransport } from './membership-transport.ts'

export interface MembershipDependencies {
  readonly world: Pick<World, 'clock' | 'timers' | 'random' | 'logger'>
  /** Closed with the membership. */
  readonly transport: MembershipTransport
}

export interface MembershipOptions {
  /** This member's name in the group, the same after a restart; 1 to 128 bytes. */
  readonly id: MemberId
  /** What others are told of it: up to 32, 400 bytes together. */
  readonly tags?: Readonly<Record<string, string>>
  /** One other member is probed in each (default 1 s, 10 ms to 10 min). The same for all members. */
  readonly probeInterval?: Duration
  /** For an answer, before others are asked to try (default: half of the interval). Well over the usual round trip. */
  readonly probeTimeout?: Duration
  /** How patient a suspicion is: it lasts at least so many intervals, times log10 of the members (default 5). */
  readonly suspicionAlpha?: number
  /** Others that are asked to try where a member does not answer (default 3). */
  readonly indirectProbes?: number
  /** How long a member that failed or left is remembered (default 24 h). */
  readonly forgetAfter?: Duration
  /** Members past which no new one is taken in (default 10,000). */
  readonly membersMax?: number
}

export interface WaitOptions {
  /** Default 10 s. */
  readonly timeout?: Duration
  readonly signal?: AbortSignal
}

export type MembershipChange =
  /** `before` is absent for a member that was not known; it equals `member.state` when what the member says of itself has changed. */
  | { readonly kind: 'changed'; readonly member: MemberView; readonly before: MemberState | undefined }
  /** It ended long ago and is remembered no more. */
  | { readonly kind: 'forgotten'; readonly id: MemberId }
  /** Another process goes by this one's name, from `address`. `hasEnded`: it was first, and this one has ended ({@link Membership.lost}); otherwise it is the other that is to end. */
  | { readonly kind: 'conflict'; readonly address: string; readonly hasEnded: boolean }
  /** The reader was too slow: changes were passed over, and this is how it is now. */
  | { readonly kind: 'resync'; readonly members: readonly MemberView[] }

const waitMsDefault = 10_000
const seedsMax = 256

/**
 * Who of a group of processes is there, as one of them sees it: SWIM with Lifeguard. It tells of crashes within seconds at constant cost for each member, and of slowness as something else
 * than death. It is a view, and each member has its own: it gives no rights, and the two sides of a partition take each other for failed. For what only one may do, use locks and leaders.
 */
export class Membership {
  readonly #world: MembershipDependencies['world']
  readonly #transport: MembershipTransport
  readonly #runner: SwimRunner
  readonly #feed: ChangeFeed<MembershipChange>
  readonly #joining = new Set<() => void>()
  readonly #lost = new AbortController()
  #closing: Promise<void> | undefined

  /** Takes part at once, alone until {@link join}, or until others join it. Throws `invalid-argument`. */
  constructor({ world, transport }: MembershipDependencies, options: MembershipOptions) {
    this.#world = world
    this.#transport = transport
    const probeIntervalMs = durationOf('probeInterval', options.probeInterval ?? 1_000)
    const { suspicionAlpha, indirectProbes, membersMax, forgetAfter } = options
    this.#feed = new ChangeFeed(() => ({ kind: 'resync', members: this.members() }))
    this.#runner = new SwimRunner({
      world,
      swim: {
        id: options.id,
        address: transport.address,
        tags: { ...options.tags },
        // Greater than that of the life before, unless the clock was set back: then it is refuted.
        incarnation: Math.max(1, Math.floor(world.clock.wallMs())),
        probeIntervalMs,
        probeTimeoutMs: durationOf('probeTimeout', options.probeTimeout ?? probeIntervalMs / 2),
        messageBytesMax: transport.messageBytesMax,
        ...(suspicionAlpha === undefined ? {} : { suspicionAlpha }),
        ...(indirectProbes === undefined ? {} : { indirectProbes }),
        ...(membersMax === undefined ? {} : { membersMax }),
        ...(forgetAfter === undefined ? {} : { forgetMs: durationOf('forgetAfter', forgetAfter) }),
      },
      send: (to, message) => transport.send(encodeSwimMessage(message), to),
      happened: (effect) => this.#happened(effect),
    })
    transport.handle((bytes, from) => this.#receive(bytes, from))
  }

  /** This member as others hear of it. */
  get self(): MemberView {
    return this.#runner.swim.self
  }

  /** Fires with the cause (`conflict`) when another process that began earlier goes by this one's name: this membership has then closed, and the others see that one. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** All that are known, this one first, those that failed or left lately too. */
  members(): MemberView[] {
    return [this.self, ...this.#runner.swim.members()]
  }

  /** Those that are there: alive, degraded, recovered or suspect (who may refute it yet); this one among them. */
  live(): MemberView[] {
    return this.members().filter(({ state }) => state !== 'failed' && state !== 'left')
  }

  member(id: MemberId): MemberView | undefined {
    return id === this.self.id ? this.self : this.#runner.swim.member(id)
  }

  get stats(): SwimStats {
    return this.#runner.swim.stats
  }

  /** What changes from now on, in the order in which it was learned here. A reader that is 1,024 changes behind is told so by `resync`. Ends when the membership closes. */
  changes({ signal }: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<MembershipChange> {
    return this.#feed.read(signal)
  }

  /**
   * Finds the group through any of `addresses` (256 at most; its own is passed over; the first member gives none, and has nobody to wait for). Resolves when one has answered; this member then
   * has most of the state, and the rest within a few periods. Rejects with `timeout`, `aborted`, `closed`: it has then stopped asking, but may have been heard (`outcome: 'unknown'`);
   * with `conflict` where one that began earlier lives by this name: this membership has then closed. A name that is on record at another address delays the join until it is known that nobody lives there (3 s).
   */
  async join(
    addresses: readonly string[],
    { timeout = waitMsDefault, signal }: WaitOptions = {},
  ): Promise<void> {
    this.#assertOpen()
    if (addresses.length > seedsMax)
      throw invalidArgument('addresses', addresses.length, `at most ${seedsMax}`)
    for (const address of addresses) checkMemberAddress('addresses', address)
    const timeoutMs = durationOf('timeout', timeout)
    if (signal?.aborted === true) throw abortedError(signal)
    const others = addresses.filter((address) => address !== this.#transport.address)
    if (others.length === 0) return
    const failure = await new Promise<AlthingError | undefined>((resolve) => {
      const settle = (error?: AlthingError): void => {
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        this.#joining.delete(settle)
        resolve(error)
      }
      const timer = this.#world.timers.after(timeoutMs, () => settle(unfinished('timeout', others)))
      const abort = (): void => settle(unfinished('aborted', others))
      signal?.addEventListener('abort', abort)
      this.#joining.add(settle)
      this.#runner.step({ type: 'join', addresses: others })
    })
    if (failure === undefined) {
      if (this.#closing !== undefined) throw this.#closedError()
      return
    }
    if (this.#joining.size === 0) this.#runner.step({ type: 'join', addresses: [] })
    throw failure
  }

  /** Takes the place of the tags before. Throws `invalid-argument`, `closed`. */
  setTags(tags: Readonly<Record<string, string>>): void {
    this.#assertOpen()
    checkTags(tags)
    this.#runner.step({ type: 'setTags', tags: { ...tags } })
  }

  /** What the program knows of its own health: with a reason (100 bytes at most) the others see this member as degraded; without one, as well, as far as the program goes. */
  setHealth(degraded: string | undefined): void {
    this.#assertOpen()
    checkDegraded(degraded ?? '')
    this.#runner.step({ type: 'setHealth', degraded: degraded ?? '' })
  }

  /** Tells the others that it goes, so that nobody takes it for failed, and closes. Idempotent. */
  async leave(): Promise<void> {
    if (this.#closing === undefined) this.#runner.step({ type: 'leave' })
    await this.close()
  }

  /** Takes part no more, without a word: the others find it failed. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave()
  }

  async #close(): Promise<void> {
    this.#runner.close()
    this.#feed.end()
    await this.#transport.close()
    for (const settle of [...this.#joining]) settle()
  }

  #receive(bytes: Uint8Array, from: string): void {
    let message: SwimMessage
    try {
      message = decodeSwimMessage(bytes)
    } catch (error) {
      this.#world.logger.log('debug', 'a message that is none of a member', {
        from,
        reason: asAlthingError(error).message,
      })
      return
    }
    this.#runner.step({ type: 'receive', message, replyTo: from })
  }

  #happened(effect: Exclude<SwimEffect, { type: 'send' }>): void {
    switch (effect.type) {
      case 'changed':
        this.#feed.push({ kind: 'changed', member: effect.member, before: effect.before })
        return
      case 'forgotten':
        this.#feed.push({ kind: 'forgotten', id: effect.id })
        return
      case 'conflict':
        this.#onConflict(effect)
        return
      case 'joined':
        for (const settle of [...this.#joining]) settle()
        return
      case 'leaveTold':
        return
    }
  }

  #onConflict({ address, yields }: Extract<SwimEffect, { readonly type: 'conflict' }>): void {
    const { id } = this.self
    this.#world.logger.log('error', 'another process goes by the name of this member', {
      member: id,
      address,
      whatEnds: yields ? 'this one' : 'the other',
    })
    this.#feed.push({ kind: 'conflict', address, hasEnded: yields })
    if (!yields) return
    const message = `another process, at ${address}, goes by the name "${id}" and began earlier: this one has ended`
    this.#lost.abort(new AlthingError('conflict', message, { outcome: 'none', details: { id, address } }))
    void this.close()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw this.#closedError()
  }

  #closedError(): AlthingError {
    return this.#lost.signal.aborted ? (this.#lost.signal.reason as AlthingError) : closed()
  }
}

function durationOf(field: string, duration: Duration): number {
  const ms = parseDurationMs(duration)
  if (ms === undefined)
    throw invalidArgument(field, duration, "a number of milliseconds, or a text such as '30s'")
  return ms
}

function closed(): AlthingError {
  return new AlthingError('closed', 'the membership is closed', { outcome: 'none' })
}

function unfinished(code: 'timeout' | 'aborted', addresses: readonly string[]): AlthingError {
  const shown = addresses.slice(0, 3).join(', ')
  return new AlthingError(code, `no member has answered at ${shown}`, { outcome: 'unknown' })
}
