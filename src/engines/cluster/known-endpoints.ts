import type { Member } from '../../replication/peer-transport.ts'

/** A node that could not serve is asked last for so long, or until all others cannot either. */
export const troubleMs = 2_000

/**
 * The addresses a client knows: those it was given, and the members that the nodes tell of, where the newest word counts. Pure: says what to try in which
 * order, and opens nothing.
 */
export class KnownEndpoints {
  readonly #given: readonly string[]
  #members: readonly Member[] = []
  #version = -1
  /** Given addresses that were a member's and are no more. */
  readonly #retired = new Set<string>()
  readonly #troubledAtMs = new Map<string, number>()
  #leader = 0

  constructor(given: readonly string[]) {
    this.#given = [...new Set(given)]
  }

  /** 0: none known. */
  get leader(): number {
    return this.#leader
  }

  get leaderAddress(): string | undefined {
    return this.addressOf(this.#leader)
  }

  addressOf(id: number): string | undefined {
    return this.#members.find((member) => member.id === id)?.address
  }

  /** Whether a connection to `address` may serve: it is a member's, or one that was given by another name than the members have. */
  isWanted(address: string): boolean {
    if (this.#members.some((member) => member.address === address)) return true
    return this.#given.includes(address) && !this.#retired.has(address)
  }

  /** All, in the order in which they are to be tried: members without trouble, members with, then addresses that were only given. */
  inOrder(nowMs: number): string[] {
    const members = this.#members.map((member) => member.address)
    const given = this.#given.filter((address) => !members.includes(address))
    // A stable sort: among those without trouble the leader comes first, and then the order in which they were told.
    const first = this.leaderAddress
    const byTrouble = (a: string, b: string): number =>
      this.troubleAtMs(a, nowMs) - this.troubleAtMs(b, nowMs)
    const ordered = members.toSorted(byTrouble)
    if (first !== undefined && !this.isTroubled(first, nowMs)) {
      ordered.splice(ordered.indexOf(first), 1)
      ordered.unshift(first)
    }
    return [...ordered, ...given.toSorted(byTrouble)]
  }

  /**
   * A node tells who the members are; `version` is the index of the log entry that says so (0 from a node that does not tell). Older word than what is
   * known is passed over. Returns whether it was news.
   */
  learn(members: readonly Member[], version: number): boolean {
    if (members.length === 0 || version < this.#version) return false
    this.#version = version
    if (sameMembers(members, this.#members)) return false
    for (const { address } of this.#members) if (this.#given.includes(address)) this.#retired.add(address)
    for (const { address } of members) this.#retired.delete(address)
    this.#members = [...members]
    return true
  }

  /** Told by the node at `address`. That it knows none (0) is news only of itself: it leads no more. */
  leaderIs(leader: number, address: string): void {
    if (leader === 0 && this.leaderAddress !== address) return
    this.#leader = leader
  }

  troubled(address: string, nowMs: number): void {
    this.#troubledAtMs.set(address, nowMs)
    if (this.leaderAddress === address) this.#leader = 0
  }

  isTroubled(address: string, nowMs: number): boolean {
    return this.troubleAtMs(address, nowMs) > Number.NEGATIVE_INFINITY
  }

  /** When the address was last found unable to serve, if that is not long ago; else minus infinity. */
  troubleAtMs(address: string, nowMs: number): number {
    const atMs = this.#troubledAtMs.get(address)
    if (atMs === undefined) return Number.NEGATIVE_INFINITY
    if (nowMs - atMs < troubleMs) return atMs
    this.#troubledAtMs.delete(address)
    return Number.NEGATIVE_INFINITY
  }
}

function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  return (
    a.length === b.length && a.every(({ id, address }, i) => b[i]?.id === id && b[i]?.address === address)
  )
}
