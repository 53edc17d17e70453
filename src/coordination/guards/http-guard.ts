import { AlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import { wholeNumber } from '../names.ts'
import type { FenceStamp } from '../fencing.ts'
import { admit, type FenceState, initialFenceState } from './fence-state.ts'
import { checkResource, checkStamp, isToken, liveMax, refusedStamp } from './stamp-check.ts'

export const fenceHeader = 'althing-fence'

/**
 * What a client adds to a request to a resource that is guarded: `token=12`, of a read hold `token=12;kind=shared`, of a permit
 * `token=12;kind=member;as-of=15;live=10,12`.
 */
export function fenceHeaders(stamp: FenceStamp): Record<string, string> {
  checkStamp(stamp)
  return { [fenceHeader]: textOf(stamp) }
}

/** Where a guard keeps what it has seen. */
export interface FenceMemory {
  /**
   * Compares with what is kept of `resource` and keeps what {@link admit} makes of it, as one step that no other call comes between: false, and nothing
   * changed, when it is refused. A row of a database will do: see `PostgresGuard`.
   */
  admit(resource: string, stamp: FenceStamp): boolean | Promise<boolean>
}

/**
 * Keeps it in this process. For a resource with one server, whose loss of memory means that the resource is lost too: a server that starts anew has forgotten whom it
 * has seen, and takes a stale token that comes before a newer one.
 */
export class ProcessFenceMemory implements FenceMemory {
  readonly #states = new Map<string, FenceState>()
  readonly #resourcesMax: number

  /** `resourcesMax` 1..10,000,000, default 100,000: past it new ones are refused (`overloaded`), as to forget one would let stale tokens in. */
  constructor(options: { readonly resourcesMax?: number } = {}) {
    this.#resourcesMax = wholeNumber('resourcesMax', options.resourcesMax ?? 100_000, 1, 10_000_000)
  }

  admit(resource: string, stamp: FenceStamp): boolean {
    const before = this.#states.get(resource)
    if (before === undefined && this.#states.size >= this.#resourcesMax) {
      throw new AlthingError('overloaded', `the tokens of ${this.#resourcesMax} resources are kept already`, {
        outcome: 'none',
      })
    }
    const after = admit(before ?? initialFenceState, stamp)
    if (after === undefined) return false
    this.#states.set(resource, after)
    return true
  }

  /** The resource is gone for good. */
  forget(resource: string): void {
    this.#states.delete(resource)
  }
}

/** What to answer a request. */
export type FenceVerdict =
  | { readonly isAdmitted: true; readonly stamp: FenceStamp }
  | {
      readonly isAdmitted: false
      /** 428: no header. 400: not one of ours. 412: a later holder was here. */
      readonly status: 400 | 412 | 428
      readonly error: AlthingError
    }

/**
 * The server's side, for any framework: give it the name of what the request changes and the request's header {@link fenceHeader}, before anything is changed; send
 * `status` when it is not admitted. Between the verdict and the change nothing that takes long should come: while it lasts, a later
 * holder's change may come first. Where that must not be, check and change in one transaction (`PostgresGuard`).
 */
export class HttpGuard {
  readonly #memory: FenceMemory

  constructor(memory: FenceMemory = new ProcessFenceMemory()) {
    this.#memory = memory
  }

  /** Rejects with what the memory rejects with, but for `stale-token`, which is a verdict. */
  async check(
    resource: string,
    header: string | readonly string[] | null | undefined,
  ): Promise<FenceVerdict> {
    checkResource(resource)
    if (header === undefined || header === null) return noHeader
    const stamp = parseStamp(header)
    if (stamp === undefined) return malformed(header)
    try {
      if (await this.#memory.admit(resource, stamp)) return { isAdmitted: true, stamp }
    } catch (error) {
      if (!isAlthingError(error, 'stale-token')) throw error
    }
    return { isAdmitted: false, status: 412, error: refusedStamp(`"${resource}"`, stamp) }
  }
}

const noHeader: FenceVerdict = {
  isAdmitted: false,
  status: 428,
  error: new AlthingError('invalid-argument', `the request has no header ${fenceHeader}`, {
    outcome: 'none',
  }),
}

function malformed(header: unknown): FenceVerdict {
  return {
    isAdmitted: false,
    status: 400,
    error: invalidArgument(fenceHeader, header, "'token=NUMBER' as fenceHeaders makes it"),
  }
}

function textOf(stamp: FenceStamp): string {
  if (stamp.kind === undefined) return `token=${stamp.token}`
  if (stamp.kind === 'shared') return `token=${stamp.token};kind=shared`
  return `token=${stamp.token};kind=member;as-of=${stamp.asOf};live=${stamp.live.join(',')}`
}

function parseStamp(header: string | readonly string[]): FenceStamp | undefined {
  if (typeof header !== 'string' || header.length > liveMax * 17 + 100) return undefined
  const match = /^token=(\d+)(?:;kind=(?:(shared)|member;as-of=(\d+);live=(\d+(?:,\d+)*)))?$/.exec(header)
  if (match === null) return undefined
  const [, digits, shared, asOfDigits, list] = match
  const token = Number(digits)
  if (!isToken(token)) return undefined
  if (shared !== undefined) return { token, kind: 'shared' }
  if (asOfDigits === undefined || list === undefined) return { token }
  const asOf = Number(asOfDigits)
  const live = list.split(',').map(Number)
  const isSound = isToken(asOf) && live.length <= liveMax && live.every(isToken) && live.includes(token)
  return isSound ? { token, kind: 'member', asOf, live } : undefined
}
