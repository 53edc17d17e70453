import type { JsonValue } from '../../../base/json-value.ts'
import type { Operation } from '../../history/operation.ts'
import { mixHash } from '../canonical-value.ts'
import { partitionByKey, type SequentialModel } from '../sequential-model.ts'
import { malformedOperation, memberOf, shown, unknownOperation } from './decoding.ts'

export interface LockState {
  readonly isHeld: boolean
  /** The newest token granted, or a bound below it when `isExact` is false; 0 at first. */
  readonly token: number
  /** False after a grant whose answer was lost: the token is then at least `token`. */
  readonly isExact: boolean
}

export type LockOp =
  /** `token`: as granted; `'refused'`: another holds it; undefined: the answer was lost. */
  | { readonly type: 'acquire'; readonly token: number | 'refused' | undefined }
  /** By the holder (`release`) or by the service (`expire`). `ended`: whether `token` held the lock; undefined when the result does not tell. */
  | { readonly type: 'release' | 'expire'; readonly token: number; readonly ended: boolean | undefined }

const name = 'lock'
const operations = ['acquire', 'release', 'expire']

/**
 * One lock for each key, with fencing tokens: `acquire` returns its token (a number, or `{ "token": … }`), which is greater than every token before it, or `null` or `false`
 * when another holds the lock; `release` and `expire` take the token and return whether it held the lock (without a result: it did).
 */
export function lockModel(): SequentialModel<LockState, LockOp> {
  return {
    name,
    operations,
    initial: { isHeld: false, token: 0, isExact: true },
    decode,
    step: (state, op) => (op.type === 'acquire' ? acquire(state, op.token) : end(state, op)),
    hash: (state) => mixHash(state.token | 0, (state.isHeld ? 1 : 0) | (state.isExact ? 2 : 0)),
    equal: (a, b) => a.isHeld === b.isHeld && a.token === b.token && a.isExact === b.isExact,
    isObservation: (op) => (op.type === 'acquire' ? op.token === 'refused' : op.ended === false),
    partition: partitionByKey,
    describeState({ isHeld, token, isExact }) {
      return `${isHeld ? 'held' : 'free'}, newest token ${isExact ? token : `>= ${token}`}`
    },
  }
}

function decode(operation: Operation): LockOp {
  const { op, input, output, outcome } = operation
  if (op === 'acquire') {
    if (outcome !== 'ok') return { type: op, token: undefined }
    if (output === null || output === false) return { type: op, token: 'refused' }
    return { type: op, token: tokenOf(operation, output) }
  }
  if (op !== 'release' && op !== 'expire') throw unknownOperation(name, operation, operations)
  const ended = outcome !== 'ok' || typeof output === 'boolean' ? output : true
  return { type: op, token: tokenOf(operation, input), ended: typeof ended === 'boolean' ? ended : undefined }
}

function tokenOf(operation: Operation, value: JsonValue | undefined): number {
  const token = memberOf(value, 'token') ?? value
  if (typeof token === 'number' && Number.isSafeInteger(token) && token > 0) return token
  throw malformedOperation(name, operation, `the token is ${shown(token)}, but must be an integer > 0`)
}

function acquire(state: LockState, token: number | 'refused' | undefined): LockState | undefined {
  if (token === 'refused') return state.isHeld ? state : undefined
  if (state.isHeld) return undefined
  if (token === undefined) return { isHeld: true, token: state.token + 1, isExact: false }
  return token > state.token ? { isHeld: true, token, isExact: true } : undefined
}

function end(state: LockState, op: LockOp & { type: 'release' | 'expire' }): LockState | undefined {
  const canHold = state.isHeld && (state.isExact ? op.token === state.token : op.token >= state.token)
  if (op.ended === false) return canHold && state.isExact ? undefined : state
  return canHold ? { isHeld: false, token: op.token, isExact: true } : undefined
}
