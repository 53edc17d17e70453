export const electorAlgorithms = ['bully', 'ring', 'raft', 'lock'] as const
export type ElectorAlgorithm = (typeof electorAlgorithms)[number]

/** What an election promises, as data: the same fields for all, so that a program can choose by them. */
export interface ElectorGuarantees {
  /** No two nodes ever lead in the same term. */
  readonly oneLeaderPerTerm: 'always'
  /**
   * When no two nodes take themselves for the leader at the same moment: while every message arrives in time and no process stands still (`synchrony`), or while clocks run
   * at nearly the same rate (`clock-rates`).
   */
  readonly oneLeaderAtATime: 'synchrony' | 'clock-rates'
  /** What happens when the network falls into parts. */
  readonly inAPartition:
    | 'a leader in every part'
    | 'a leader where a majority is'
    | 'a leader where the store is reached'
  /** Each leader's term is greater than that of every leader before it. */
  readonly termsGrow: boolean
  /**
   * Whether a stale leader's writes can be refused: by the store itself (`enforced`), by a resource that remembers the greatest term it has seen (`by-term`), or not
   * at all, for a term may be smaller than an earlier one (`none`).
   */
  readonly fencing: 'enforced' | 'by-term' | 'none'
  /** Who leads, among those who stand. */
  readonly elects: 'the greatest number' | 'any' | 'the first to come'
  readonly needs: 'nothing' | 'a majority of the members and a folder' | 'a store'
}

export const electorGuarantees: Readonly<Record<ElectorAlgorithm, ElectorGuarantees>> = {
  bully: {
    oneLeaderPerTerm: 'always',
    oneLeaderAtATime: 'synchrony',
    inAPartition: 'a leader in every part',
    termsGrow: false,
    fencing: 'none',
    elects: 'the greatest number',
    needs: 'nothing',
  },
  ring: {
    oneLeaderPerTerm: 'always',
    oneLeaderAtATime: 'synchrony',
    inAPartition: 'a leader in every part',
    termsGrow: false,
    fencing: 'none',
    elects: 'the greatest number',
    needs: 'nothing',
  },
  raft: {
    oneLeaderPerTerm: 'always',
    oneLeaderAtATime: 'synchrony',
    inAPartition: 'a leader where a majority is',
    termsGrow: true,
    fencing: 'by-term',
    elects: 'any',
    needs: 'a majority of the members and a folder',
  },
  lock: {
    oneLeaderPerTerm: 'always',
    oneLeaderAtATime: 'clock-rates',
    inAPartition: 'a leader where the store is reached',
    termsGrow: true,
    fencing: 'enforced',
    elects: 'the first to come',
    needs: 'a store',
  },
}

/** Who leads, as far as this node has heard. */
export interface ElectorLeader {
  readonly node: string
  readonly term: number
}

/** A leadership of one's own. */
export interface ElectedTerm extends AsyncDisposable {
  readonly node: string
  readonly term: number
  /** Computed at each reading, as good as {@link ElectorGuarantees.oneLeaderAtATime} of the algorithm says. */
  readonly isLeader: boolean
  /** Fires with the cause (`lost`) when this node leads no more, unless it has resigned. */
  readonly lost: AbortSignal
  /** Ends the leadership, here at once, and the candidacy; another that stands leads next. Idempotent. */
  resign(): Promise<void>
}

/**
 * One election, whatever the algorithm: what they promise differs (`guarantees`), not how they are used. `close` ends the candidacy, campaigns (`closed`), and observers. Idempotent.
 */
export interface Elector extends AsyncDisposable {
  readonly algorithm: ElectorAlgorithm
  readonly guarantees: ElectorGuarantees
  /** The name under which others see this node as leader. */
  readonly node: string
  /** As last heard; `undefined` when none is known. */
  readonly leader: ElectorLeader | undefined
  /**
   * Stands as a candidate, and resolves when this node leads. After a leadership is lost this node stands on, but must call again to hear of the next. One call at a
   * time (`conflict`). Rejects with `aborted` (it then stands no more), `closed`, or what has ended the elector.
   */
  campaign(options?: { readonly signal?: AbortSignal }): Promise<ElectedTerm>
  /** The leader now and each later change. A slow reader skips to the newest. Ends with the signal, or with the elector. */
  observe(options?: { readonly signal?: AbortSignal }): AsyncIterable<ElectorLeader | undefined>
  close(): Promise<void>
}
