/**
 * The vocabulary of the Chord machine: what goes in (events), what comes out (effects), what travels (messages).
 *
 * References: "paper" is Stoica, Morris, Liben-Nowell, Karger, Kaashoek, Dabek and Balakrishnan, *Chord: A Scalable Peer-to-Peer Lookup Protocol for Internet Applications*,
 * IEEE/ACM Transactions on Networking 11(1), 2003; "Zave" is Zave, *Reasoning About Identifier Spaces: How to Make Chord Correct*, IEEE Transactions on Software Engineering 43(12), 2017.
 */

/** A place on the ring: a whole number in 0..2^52 - 1. */
export type ChordId = number

/** A node and where it is reached. */
export interface ChordPeer {
  readonly id: ChordId
  readonly address: string
}

export interface ChordItem {
  readonly key: string
  readonly id: ChordId
  readonly value: Uint8Array
  readonly version: ChordVersion
}

/** A ballot: the greater counter is the later one, of equal ones the greater writer. */
export interface ChordVersion {
  /** Above all that the writer found with the owner and the copies, and above its own last one. */
  readonly counter: number
  readonly writer: ChordId
}

/** `request` is the asker's number for it, and comes back with the answer. */
export type ChordMessage = { readonly from: ChordPeer; readonly to: ChordPeer; readonly request: number } & (
  | { readonly type: 'findSuccessor'; readonly id: ChordId }
  /** `owners`: the node at or after the identifier and those that follow it, if the list of the answerer reaches so far; `closer`: nodes before it, the nearest first. */
  | {
      readonly type: 'successorFound'
      readonly owners: readonly ChordPeer[]
      readonly closer: readonly ChordPeer[]
    }
  | { readonly type: 'getNeighbours' }
  | {
      readonly type: 'neighbours'
      readonly predecessor: ChordPeer | undefined
      readonly successors: readonly ChordPeer[]
    }
  /** The sender takes itself for the receiver's predecessor. */
  | { readonly type: 'notify' }
  | { readonly type: 'ping' }
  | { readonly type: 'pong' }
  /** The counter of the version that the receiver has, 0 for none. */
  | { readonly type: 'getCounter'; readonly key: string }
  | { readonly type: 'counter'; readonly counter: number }
  | { readonly type: 'put'; readonly item: ChordItem }
  /** `isStored` false: the receiver is not responsible (any more), has a later version, of `counter`, or did not reach all that are to hold a copy. */
  | { readonly type: 'putReply'; readonly isStored: boolean; readonly counter: number }
  | { readonly type: 'get'; readonly key: string }
  | { readonly type: 'getReply'; readonly value: Uint8Array | undefined }
  /** Copies for one that holds them, or (`isRange`) all keys that the receiver owns from now on. */
  | { readonly type: 'handOver'; readonly items: readonly ChordItem[]; readonly isRange: boolean }
  | { readonly type: 'handedOver' }
  /** The sender goes: to its predecessor with what follows, to its successor with what comes before. */
  | {
      readonly type: 'leave'
      readonly predecessor: ChordPeer | undefined
      readonly successors: readonly ChordPeer[]
    }
)

/** What happens to the machine. Every step also takes `nowMs`, the monotonic time of this node. */
export type ChordEvent =
  /** Time may have come for something. Call it at `nextDeadlineMs` or a little after. */
  | { readonly type: 'tick' }
  | { readonly type: 'receive'; readonly message: ChordMessage }
  /** Join the ring that `contact` is in. Answered by `joined` or `joinFailed`. */
  | { readonly type: 'join'; readonly contact: ChordPeer }
  /** Hand the keys over and go. Answered by `left`, after which the machine does nothing. */
  | { readonly type: 'leave' }
  /** Answered by `lookedUp` or `lookupFailed` of the same request. */
  | { readonly type: 'lookup'; readonly request: number; readonly id: ChordId }
  | { readonly type: 'put'; readonly request: number; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'get'; readonly request: number; readonly key: string }

/** What the shell must do. A message may be lost, doubled and overtaken: what is not answered in time is taken for a crash of the other. */
export type ChordEffect =
  | { readonly type: 'send'; readonly message: ChordMessage }
  | { readonly type: 'joined' }
  | { readonly type: 'joinFailed' }
  | { readonly type: 'left' }
  /** `owners`: the node responsible for the identifier, and those after it. `hops`: nodes asked that answered; `timeouts`: that did not. */
  | {
      readonly type: 'lookedUp'
      readonly request: number
      readonly owners: readonly ChordPeer[]
      readonly hops: number
      readonly timeouts: number
    }
  | { readonly type: 'lookupFailed'; readonly request: number }
  /** `isDone` false: nobody took it; it may have been stored all the same where an answer was lost. */
  | { readonly type: 'putDone'; readonly request: number; readonly isDone: boolean }
  /** `value` undefined: no node that should have it does; `isDone` false: none of them answered. */
  | {
      readonly type: 'getDone'
      readonly request: number
      readonly value: Uint8Array | undefined
      readonly isDone: boolean
    }
  /** All of the successor list has failed: more at once than the machine is made for. It must join anew. */
  | { readonly type: 'isolated' }

export interface ChordOptions {
  readonly self: ChordPeer
  /** Length of the successor list, r (default 16): as many nodes in a row may fail at once, less one. With 2·log2 n no list is lost whole, but with odds of 1 in n, when half of all nodes fail at once. */
  readonly successorsMax: number
  /** Nodes that hold each item, the owner included (default 3, at most r + 1). */
  readonly copies: number
  /** Default 1000. */
  readonly stabiliseMs: number
  /** One finger is looked up so often (default 1000). */
  readonly fixFingersMs: number
  /** What is not answered within it is sent again (default 500). Set it over the longest round trip. */
  readonly timeoutMs: number
  /** A request is sent so often before the other counts as crashed (default 3). Lookups do not wait for that, and go round it after the first. */
  readonly tries: number
  /** Owners send all their items to the copies so often; a copy that is not sent three times is given back to the owner (default 60,000). */
  readonly refreshMs: number
  /** Items that a node holds; past it puts are refused (default 1,000,000). */
  readonly itemsMax: number
}

export const chordDefaults: Omit<ChordOptions, 'self'> = {
  successorsMax: 16,
  copies: 3,
  stabiliseMs: 1_000,
  fixFingersMs: 1_000,
  timeoutMs: 500,
  tries: 3,
  refreshMs: 60_000,
  itemsMax: 1_000_000,
}

/** Where a node stands: for tests, tools, and a start without joining. */
export interface ChordPlace {
  readonly predecessor: ChordPeer | undefined
  /** The next one first; empty while the node is alone. */
  readonly successors: readonly ChordPeer[]
  /** `fingers[i]`: the first node known at or after the own identifier + 2^i. */
  readonly fingers: readonly (ChordPeer | undefined)[]
}
