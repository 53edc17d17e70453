import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Operation } from '../../contracts/store.ts'
import type { StoreModel } from '../../models/store/store-model.ts'
import { isSystemKey } from '../../models/store/system-keys.ts'
import type { StoreCommand } from '../../models/store/types.ts'
import { checkRequest, type RequestLimits, requestLimits } from './request-limits.ts'

/** Bounds that the leader keeps by refusing commands before they enter the log. They decide no reply of the model, so nodes may differ in them for a while. */
export interface StoreBounds {
  /** Used while no quota has been set through the log. See `store-size.ts` for what counts. Default 2 GiB. */
  readonly quotaBytes: number
  /** Default 200,000; at most 1,000,000. */
  readonly leasesMax: number
  /** Keys that hang on one lease: they go in one revision when it ends. Default 10,000. */
  readonly keysPerLeaseMax: number
  /** Sizes of requests, within those of `storeLimits`. */
  readonly request: Partial<RequestLimits>
}

export const storeBounds: StoreBounds = {
  quotaBytes: 2 * 1024 ** 3,
  leasesMax: 200_000,
  keysPerLeaseMax: 10_000,
  request: {},
}

/** A smaller quota would not hold what one client can have under way. */
export const quotaBytesMin = 16 * 1024 * 1024
export const quotaBytesMax = 2 ** 50

/** Share of the quota from which on the store is called nearly full. */
export const softShare = 0.8

export interface StoreSpace {
  readonly bytes: number
  readonly quotaBytes: number
  /** `nearly-full` from 80 % of the quota on; `full`: whatever grows the store is refused. */
  readonly state: 'ok' | 'nearly-full' | 'full'
  /** Why growth is refused, when that is not the quota. */
  readonly reason?: string
}

/**
 * Decides on the leader, before a command enters the log, whether the store may grow by it. Refused are puts and new leases; what frees
 * room is always let in: deletes, ends of leases, compaction, transactions without a put. So are the puts of system keys, with which the cluster governs itself.
 */
export class StoreAdmission {
  readonly #model: StoreModel
  readonly #bounds: StoreBounds
  readonly #limits: RequestLimits | undefined
  /** Of commands that are on their way through the log: what they add does not show in the model yet. */
  #bytesUnderWay = 0
  #refusedFor: string | undefined

  constructor(model: StoreModel, bounds: Partial<StoreBounds> = {}) {
    this.#model = model
    this.#bounds = { ...storeBounds, ...bounds }
    validateQuota(this.#bounds.quotaBytes)
    validateBound('leasesMax', this.#bounds.leasesMax, 1_000_000)
    validateBound('keysPerLeaseMax', this.#bounds.keysPerLeaseMax, 1_000_000)
    this.#limits = requestLimits(this.#bounds.request)
  }

  get quotaBytes(): number {
    return this.#model.quotaBytes === 0 ? this.#bounds.quotaBytes : this.#model.quotaBytes
  }

  get space(): StoreSpace {
    const { bytes } = this.#model
    const { quotaBytes } = this
    const isFull = bytes >= quotaBytes || this.#refusedFor !== undefined
    return {
      bytes,
      quotaBytes,
      state: isFull ? 'full' : bytes >= softShare * quotaBytes ? 'nearly-full' : 'ok',
      ...(this.#refusedFor === undefined ? {} : { reason: this.#refusedFor }),
    }
  }

  /** Refuses growth for another reason than the quota (the disk is all but full), or, with `undefined`, no longer. */
  refuseGrowth(reason: string | undefined): void {
    this.#refusedFor = reason
  }

  /** What the command is to be refused with; its outcome is none of this copy. */
  refusal(command: StoreCommand, dataBytes: number): AlthingError | undefined {
    if (command.type !== 'txn' && command.type !== 'grantLease') return undefined
    if (this.#limits !== undefined && command.type === 'txn') {
      const problem = checkRequest(command, this.#limits)
      if (problem !== undefined) return problem
    }
    const problem = this.#leaseProblem(command) ?? this.#spaceProblem(command, dataBytes)
    // A repeat is answered with the reply of the first copy, and adds nothing.
    return problem === undefined || this.#model.isRepeat(command) ? undefined : problem
  }

  started(dataBytes: number): void {
    this.#bytesUnderWay += dataBytes
  }

  ended(dataBytes: number): void {
    this.#bytesUnderWay -= dataBytes
  }

  #spaceProblem(command: GrowingCommand, dataBytes: number): AlthingError | undefined {
    const { bytes } = this.#model
    const { quotaBytes } = this
    if (this.#refusedFor !== undefined) {
      return grows(command, false) ? noSpace(this.#refusedFor, { bytes, quotaBytes }) : undefined
    }
    if (bytes + this.#bytesUnderWay + dataBytes <= quotaBytes || !grows(command, true)) return undefined
    return noSpace(
      `the store has ${bytes} bytes, and its quota is ${quotaBytes}: delete keys, compact, or raise the quota`,
      { bytes, quotaBytes },
    )
  }

  #leaseProblem(command: GrowingCommand): AlthingError | undefined {
    if (command.type === 'grantLease') {
      const { leasesMax } = this.#bounds
      if (this.#model.leaseCount < leasesMax) return undefined
      return noSpace(`there are ${leasesMax} leases, the most allowed`, { limit: leasesMax })
    }
    return this.#keysPerLeaseProblem(command.then) ?? this.#keysPerLeaseProblem(command.else)
  }

  #keysPerLeaseProblem(operations: readonly Operation[]): AlthingError | undefined {
    const limit = this.#bounds.keysPerLeaseMax
    for (const operation of operations) {
      if (operation.op !== 'put' || typeof operation.lease !== 'number' || operation.lease === 0) continue
      if (this.#model.leaseKeyCount(operation.lease) >= limit)
        return noSpace(`lease ${operation.lease} has ${limit} keys, the most allowed`, { limit })
    }
    return undefined
  }
}

type GrowingCommand = Extract<StoreCommand, { type: 'txn' | 'grantLease' }>

function grows(command: GrowingCommand, mayWriteSystemKeys: boolean): boolean {
  if (command.type === 'grantLease') return true
  const isGrowth = (operation: Operation): boolean =>
    operation.op === 'put' && !(mayWriteSystemKeys && isSystemKey(operation.key))
  return command.then.some(isGrowth) || command.else.some(isGrowth)
}

function noSpace(message: string, details: Readonly<Record<string, number>>): AlthingError {
  return new AlthingError('no-space', message, { outcome: 'none', details })
}

/** Throws `invalid-argument`. */
export function validateQuota(bytes: number): void {
  if (Number.isSafeInteger(bytes) && bytes >= quotaBytesMin && bytes <= quotaBytesMax) return
  throw invalidArgument('quotaBytes', bytes, `an integer from ${quotaBytesMin} to ${quotaBytesMax}`)
}

function validateBound(field: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return
  throw invalidArgument(field, value, `an integer from 1 to ${max}`)
}
