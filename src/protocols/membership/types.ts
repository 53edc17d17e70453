/** A member's name in its group, for as long as it is the same member: a restart keeps it. 1 to {@link membershipLimits.idBytesMax} bytes of UTF-8. */
export type MemberId = string

/** What one member says of another (or of itself), in the order in which one overrules another at the same incarnation. */
export const claimStates = ['alive', 'suspect', 'failed', 'left'] as const
export type ClaimState = (typeof claimStates)[number]

/** What a member tells of itself. Only the member itself changes it, each time with a new incarnation. */
export interface MemberDetails {
  /** Where its transport reaches it. */
  readonly address: string
  /** Labels of the user: a role, a zone, a version. */
  readonly tags: Readonly<Record<string, string>>
  /** Why it works, but not well; empty: it is well. */
  readonly degraded: string
}

/**
 * A statement about a member. Claims about one member are ordered by incarnation, then by state ({@link claimStates}); the greatest holds. So members that have
 * heard the same claims, in any order, any number of times, agree; and an old claim that comes again changes nothing.
 */
export interface Claim {
  readonly id: MemberId
  /** Raised by the member itself alone, to refute and to change its details (section 4.2 of the SWIM paper). */
  readonly incarnation: number
  readonly state: ClaimState
  /** Who suspects it, or found it failed; empty otherwise. */
  readonly by: MemberId
  /** Always with `alive`; with others where a whole state is handed over. */
  readonly details?: MemberDetails
}

/** Bounds of what members may say, in bytes of UTF-8 where they are texts. */
export const membershipLimits = {
  idBytesMax: 128,
  addressBytesMax: 255,
  /** Of all names and values of the tags together. */
  tagBytesMax: 400,
  tagsMax: 32,
  degradedBytesMax: 100,
  /** A claim with a greater one is no claim: it could not be refuted. */
  incarnationMax: 2 ** 48,
} as const

/** One process among those that ever go by a name. */
export interface Life {
  /** The incarnation that it began with. */
  readonly since: number
  /** Drawn, to tell apart those that began with the same. */
  readonly draw: number
}

export interface Ping {
  readonly type: 'ping'
  readonly from: MemberId
  readonly seq: number
  /** For whom it is: another member may have taken over the address of the one that is meant. */
  readonly to: MemberId
  /** Local health score of the sender. */
  readonly score: number
  /** To one that goes by the same name: which of the two stays is settled by it. */
  readonly life?: Life
  readonly claims: readonly Claim[]
}

export interface Ack {
  readonly type: 'ack'
  readonly from: MemberId
  readonly seq: number
  readonly score: number
  /** As in {@link Ping}. */
  readonly life?: Life
  readonly claims: readonly Claim[]
}

/** Asks another member to ping `target`. */
export interface PingRequest {
  readonly type: 'pingRequest'
  readonly from: MemberId
  readonly seq: number
  readonly target: MemberId
  readonly targetAddress: string
  readonly claims: readonly Claim[]
}

/** From one that was asked: it has had no answer so far. The asker's own path works, then. */
export interface Nack {
  readonly type: 'nack'
  readonly from: MemberId
  readonly seq: number
  readonly claims: readonly Claim[]
}

/** Claims alone, or none. */
export interface Gossip {
  readonly type: 'gossip'
  readonly from: MemberId
  readonly claims: readonly Claim[]
}

/** The receiver answers late. */
export interface Slow {
  readonly type: 'slow'
  readonly from: MemberId
  readonly roundTripMs: number
  readonly claims: readonly Claim[]
}

/** Asks for the receiver's whole state, unless the two have the same. */
export interface Sync {
  readonly type: 'sync'
  readonly from: MemberId
  /** Of the members that the sender believes to live. */
  readonly digest: number
  readonly claims: readonly Claim[]
}

/** Part of a whole state; the sender itself is in the first one. */
export interface Page {
  readonly type: 'page'
  readonly from: MemberId
  /** The receiver is to send its own state too. */
  readonly wantsBack: boolean
  readonly claims: readonly Claim[]
}

export type SwimMessage = Ping | Ack | PingRequest | Nack | Gossip | Slow | Sync | Page

/**
 * How a member looks from here. `suspect`: someone had no answer from it, and it has not refuted that yet. `failed`: nobody has refuted in time. `degraded`: it
 * answers, but late, or says itself that it is not well. `recovered`: alive after it had been taken for failed, for a while.
 */
export type MemberState = 'alive' | 'degraded' | 'suspect' | 'failed' | 'recovered' | 'left'

export interface MemberView {
  readonly id: MemberId
  readonly address: string
  readonly tags: Readonly<Record<string, string>>
  readonly state: MemberState
  /** Since when, by this node's monotonic clock. */
  readonly sinceMs: number
  readonly incarnation: number
  /** Of a degraded member: why. */
  readonly degraded: string
  /** Of a suspect: who suspects it; of a failed one: who found it so. */
  readonly suspectedBy: readonly MemberId[]
  /** The last round trip of a ping from here. */
  readonly roundTripMs: number | undefined
  /** Its local health score as it said last; 0 is best. */
  readonly healthScore: number | undefined
}

/** What happens to a member. */
export type SwimEvent =
  /** The time of {@link Swim.dueMs} has come. */
  | { readonly type: 'tick' }
  /** `replyTo`: where an answer to the sender goes. */
  | { readonly type: 'receive'; readonly message: SwimMessage; readonly replyTo: string }
  /** Finds its group through any of these; again and again until one answers, or until there are none. */
  | { readonly type: 'join'; readonly addresses: readonly string[] }
  | { readonly type: 'leave' }
  | { readonly type: 'setTags'; readonly tags: Readonly<Record<string, string>> }
  /** What the program says of itself; empty: it is well. */
  | { readonly type: 'setHealth'; readonly degraded: string }
  /** Someone else has seen to it that this member is one of the group: it is believed alive until it does not answer. */
  | { readonly type: 'introduce'; readonly id: MemberId; readonly address: string }
  /** Someone else knows that it is one no more. */
  | { readonly type: 'remove'; readonly id: MemberId }

/** What is to be done, in this order. A message that cannot be sent is lost: nothing waits for it. */
export type SwimEffect =
  | { readonly type: 'send'; readonly to: string; readonly message: SwimMessage }
  /** `before` is absent for a member that was not known. */
  | { readonly type: 'changed'; readonly member: MemberView; readonly before: MemberState | undefined }
  /** It ended long ago, and its place was needed or its time had come. */
  | { readonly type: 'forgotten'; readonly id: MemberId }
  /** A member has answered: this one belongs to the group. */
  | { readonly type: 'joined'; readonly by: MemberId }
  /** That this member leaves has been told as often as any news is. */
  | { readonly type: 'leaveTold' }
  /** Another process goes by this member's name, from another address. `yields`: it was first, and this one has ended: it says and does nothing any more. */
  | { readonly type: 'conflict'; readonly address: string; readonly yields: boolean }

export interface SwimOptions {
  readonly id: MemberId
  readonly address: string
  readonly tags: Readonly<Record<string, string>>
  /** The first one of this life. Greater than that of the life before spares a round of refutation; of two processes with one name the one with the smaller stays. */
  readonly incarnation: number
  /** The protocol period: one other member is probed in each. */
  readonly probeIntervalMs: number
  /** After so long without an answer others are asked; less than the period. */
  readonly probeTimeoutMs: number
  /** How many others are asked (`k`). */
  readonly indirectProbes: number
  /** Each piece of news is sent `lambda * ln(members + 1)` times by each member. */
  readonly lambda: number
  /** A suspicion lasts at least `suspicionAlpha * log10(members)` periods (at least `suspicionAlpha`), */
  readonly suspicionAlpha: number
  /** and at most so many times that, while fewer than {@link suspicionConfirmations} others share it. */
  readonly suspicionBeta: number
  /** Independent confirmations after which a suspicion lasts no longer than it must. */
  readonly suspicionConfirmations: number
  /** Which of the refinements of Lifeguard are on, and ours for a member that stood still. */
  readonly refinements: Refinements
  /** The greatest local health score: the period and the timeout grow up to `1 + scoreMax` times. */
  readonly scoreMax: number
  /** A round trip over this is slow. */
  readonly slowMs: number
  /** How late this member's own timer must be to count as a stall. */
  readonly stallMs: number
  /** For so long after a stall of a whole period a member calls itself degraded. */
  readonly degradedHoldMs: number
  /** For so long one that came back is shown as recovered. */
  readonly recoveredMs: number
  /** How often the whole state is compared with that of another member. */
  readonly syncIntervalMs: number
  /** How often one that failed is looked for. */
  readonly reconnectIntervalMs: number
  /** How long one that failed or left is remembered. */
  readonly forgetMs: number
  /** Members past which no new one is taken in, this one included. */
  readonly membersMax: number
  /** No message is larger when encoded. */
  readonly messageBytesMax: number
}

export interface Refinements {
  /** Probe less eagerly while the own probes fail (LHA-Probe), with `nack`s. */
  readonly localHealth: boolean
  /** Suspicions that end sooner the more members share them (LHA-Suspicion). */
  readonly dynamicSuspicion: boolean
  /** A suspect hears of it with the first message to it (Buddy System). */
  readonly buddy: boolean
  /** No verdict about others right after a stall of one's own. */
  readonly stallAware: boolean
}

/** Times that are not given follow from the two of the probes ({@link swimTimes}). */
export const swimDefaults = {
  tags: {},
  incarnation: 1,
  probeIntervalMs: 1_000,
  probeTimeoutMs: 500,
  indirectProbes: 3,
  lambda: 3,
  suspicionAlpha: 5,
  suspicionBeta: 6,
  suspicionConfirmations: 3,
  refinements: { localHealth: true, dynamicSuspicion: true, buddy: true, stallAware: true },
  scoreMax: 8,
  forgetMs: 24 * 60 * 60 * 1_000,
  membersMax: 10_000,
  messageBytesMax: 1_400,
} as const satisfies Partial<SwimOptions>

type SwimTime =
  | 'slowMs'
  | 'stallMs'
  | 'degradedHoldMs'
  | 'recoveredMs'
  | 'syncIntervalMs'
  | 'reconnectIntervalMs'

/** With the default period and time-out: 250 ms, 250 ms, 10 s, 60 s, 30 s, 5 s. */
export function swimTimes(
  probeIntervalMs: number,
  probeTimeoutMs: number,
): Readonly<Record<SwimTime, number>> {
  return {
    slowMs: probeTimeoutMs / 2,
    stallMs: probeTimeoutMs / 2,
    degradedHoldMs: 10 * probeIntervalMs,
    recoveredMs: 60 * probeIntervalMs,
    syncIntervalMs: 30 * probeIntervalMs,
    reconnectIntervalMs: 5 * probeIntervalMs,
  }
}

/** Counts since the start. */
export interface SwimStats {
  readonly probes: number
  readonly probesFailed: number
  readonly indirectProbes: number
  readonly messagesSent: number
  /** Suspicions that this member raised itself. */
  readonly suspicions: number
  /** Members that it declared failed itself. */
  readonly failures: number
  readonly refutations: number
  readonly stalls: number
  /** Members that were not taken in for want of room. */
  readonly refusedMembers: number
}
