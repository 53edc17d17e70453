import { AlthingError } from '../../contracts/errors.ts'
import { malformed } from './protocol.ts'

/** What an operator call may be made with and answer: plain data, as MessagePack carries it. Bytes are `Uint8Array`s. */
export type Plain =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Plain[]
  | { readonly [name: string]: Plain | undefined }

/** One call for operators. It checks its argument itself (`invalid-argument`), and its errors carry an outcome where it changes something. */
export type OperatorCall = (argument: Plain, caller: Caller) => Promise<Plain>

/** Calls that, made twice, do and answer the same as made once: whoever lost the answer may ask again, and somebody else. */
const repeatable: ReadonlySet<string> = new Set([
  'member.list',
  'member.promote',
  'member.remove',
  'member.updateAddress',
  'group.list',
])

/** Whether a call that failed so may be made again: surely nothing was done, or doing it twice is as good. */
export function mayRepeat(name: string, { code, outcome }: AlthingError): boolean {
  return code === 'unavailable' && (outcome === 'none' || repeatable.has(name))
}

/** Who makes a call. */
export interface Caller {
  /** The name shown in the audit log: a user's, or the address where access control is off. */
  readonly name: string
  readonly remoteAddress: string
  /** Another node hands the call on: it must not be handed on again. */
  readonly isForwarded?: boolean
}

/**
 * The calls for operators that a node answers, by name (`member.add`, `backup.begin`): each part of the node registers its own. All of them need the admin
 * right; a name not registered is refused.
 */
export class OperatorCalls {
  readonly #calls = new Map<string, OperatorCall>()

  register(calls: Readonly<Record<string, OperatorCall>>): void {
    for (const [name, call] of Object.entries(calls)) this.#calls.set(name, call)
  }

  get names(): readonly string[] {
    return [...this.#calls.keys()].sort()
  }

  async call(body: unknown, caller: Caller): Promise<Plain> {
    const [name, argument] = Array.isArray(body) ? (body as unknown[]) : []
    if (typeof name !== 'string') throw malformed('operator call')
    const call = this.#calls.get(name)
    if (call === undefined) {
      throw new AlthingError('incompatible-peer', `this node knows no operator call ${name}`, {
        outcome: 'none',
      })
    }
    return call((argument ?? null) as Plain, caller)
  }
}
