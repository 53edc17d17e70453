import type { AccessControl, CallerOrigin, Credentials } from '../../access/access-control.ts'
import type { RightSet } from '../../access/grants.ts'
import { anonymous, type Principal, type PrincipalRef, principalRefFrom } from '../../access/principal.ts'
import type { RateLimits } from '../../access/rate-limits.ts'
import { hostOf } from '../../access/login-guard.ts'
import { authorizeCommand, authorizeRead, needAny, readableLeases } from '../../access/requirements.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { KeyRange, LeaseStatus } from '../../contracts/store.ts'
import { clientLeases, clientMutation, clientRange } from '../../models/store/system-keys.ts'
import type { StoreCommand } from '../../models/store/types.ts'
import type { StoreModel } from '../../models/store/store-model.ts'
import { forwardedFlag, malformed, type Request, speaksForFlag } from './protocol.ts'

export interface SessionAccessOptions {
  readonly control: AccessControl
  readonly limits: RateLimits
  readonly origin: CallerOrigin
  /** Who the caller is by what it has shown. */
  readonly ref: PrincipalRef
  /** Nothing is counted on the caller's limits here: the node that speaks for it has done so. */
  readonly isCountedElsewhere?: boolean
  /** The group that the connection is about; absent: the cluster's own. */
  readonly group?: string
}

/**
 * Who greets: by what it shows, or for whom it speaks when it is a node. At once where that can be said at once: its first request may be under way already. Throws or rejects
 * as {@link AccessControl.authenticate}, and with `unavailable` when a caller that is no node speaks for another.
 */
export function refOf(
  control: AccessControl,
  origin: CallerOrigin,
  credentials: Credentials,
  as: unknown,
): PrincipalRef | Promise<PrincipalRef> {
  const known = control.recognise(credentials, origin)
  if (known !== undefined) return spokenFor(control, known, as)
  return control.authenticate(credentials, origin).then((ref) => spokenFor(control, ref, as))
}

function spokenFor(control: AccessControl, ref: PrincipalRef, as: unknown): PrincipalRef {
  if (as === undefined) return ref
  const wanted = principalRefFrom(as)
  if (ref[0] === 'node') return wanted
  if (!control.isEnabled) return ref
  throw new AlthingError('unavailable', 'the caller has not shown that it is a node', none)
}

/** A request with who makes it: the caller, or somebody whom a node speaks for. */
export interface OwnedRequest extends Request {
  readonly ref: PrincipalRef
}

/** What the caller of one connection may do. It decides by the state applied on this node at the moment it is asked. */
export class SessionAccess {
  readonly control: AccessControl
  readonly remoteAddress: string
  readonly #limits: RateLimits
  readonly #ref: PrincipalRef
  readonly #group: string | undefined
  readonly #isCounted: boolean
  #isRehearsal = false

  constructor(options: SessionAccessOptions) {
    this.control = options.control
    this.remoteAddress = options.origin.remoteAddress
    this.#limits = options.limits
    this.#ref = options.ref
    this.#group = options.group
    this.#isCounted = options.isCountedElsewhere !== true && options.ref[0] !== 'node'
  }

  /** Whether what the caller has shown is still valid. */
  get isValid(): boolean {
    if (this.#ref[0] === 'node') return true
    try {
      this.control.principal(this.#ref)
      return true
    } catch {
      return false
    }
  }

  /** Whose request it is. Throws `unavailable` when a caller that is no node speaks for another. */
  owned(request: Request): OwnedRequest {
    const isNode = this.#ref[0] === 'node'
    if ((request.flags & speaksForFlag) !== 0) {
      if (!Array.isArray(request.body)) throw malformed('request')
      const [wire, body] = request.body as unknown[]
      const ref = principalRefFrom(wire)
      if (isNode) return { ...request, body, ref }
      // A node that dialled before access control was switched on must do so again.
      if (this.control.isEnabled)
        throw new AlthingError('unavailable', 'the caller has not shown that it is a node', none)
      return { ...request, body, ref: this.#ref }
    }
    // What a node hands on for nobody in particular must not be done in its own name.
    if (isNode && (request.flags & forwardedFlag) !== 0) return { ...request, ref: anonymous }
    return { ...request, ref: this.#ref }
  }

  /** Throws `overloaded` when the caller asks for more than it may. Nodes are not counted: the node that a client speaks to counts it. */
  take(bytes: number): void {
    if (this.#limits.isUnlimited || !this.#isCounted) return
    const name = this.#nameOf(this.#ref)
    this.#limits.take(name === '' ? hostOf(this.remoteAddress) : name, bytes)
  }

  /** The command as the caller may make it: with ranges cut to what clients can see. The same object where nothing had to be cut. */
  clientCommand(command: StoreCommand, ref: PrincipalRef): StoreCommand {
    if (ref[0] === 'node') return command
    switch (command.type) {
      case 'openSession':
        return command
      case 'expireLeases':
      case 'setQuota':
      case 'checkpoint':
        throw new AlthingError(
          'permission-denied',
          `only the cluster itself does this: ${command.type}`,
          none,
        )
      default:
        return clientMutation(command)
    }
  }

  /** To be asked at the leader, in the turn of the loop in which the command is proposed. */
  authorizeCommand(command: StoreCommand, ref: PrincipalRef, model: StoreModel): void {
    if (ref[0] === 'node') return
    this.#audited(ref, command.type, (principal) => {
      if (this.control.isEnabled)
        authorizeCommand(this.#rights(principal), command, (id) => model.lease(id)?.keys)
    })
  }

  /** The part of the range that clients may see at all. Throws `permission-denied`. */
  clientRange<Range extends KeyRange>(range: Range, ref: PrincipalRef): Range {
    return ref[0] === 'node' ? range : clientRange(range)
  }

  /** Of a range as {@link clientRange} gives it. Throws `permission-denied` or `unauthenticated`. */
  authorizeRead(range: KeyRange, ref: PrincipalRef, what: string): void {
    if (ref[0] === 'node') return
    this.#audited(ref, what, (principal) => {
      if (this.control.isEnabled) authorizeRead(this.#rights(principal), range)
    })
  }

  authorizeLease(ref: PrincipalRef): void {
    if (ref[0] === 'node') return
    this.#audited(ref, 'lease', (principal) => {
      if (this.control.isEnabled) needAny(this.#rights(principal), 'lease')
    })
  }

  readableLeases(leases: readonly LeaseStatus[], ref: PrincipalRef): readonly LeaseStatus[] {
    if (ref[0] === 'node') return leases
    const own = clientLeases(leases)
    return this.#audited(ref, 'leases', (principal) =>
      this.control.isEnabled ? readableLeases(this.#rights(principal), own) : own,
    )
  }

  /** What `check` would throw, without a line in the audit log. */
  rehearse(check: () => void): unknown {
    this.#isRehearsal = true
    try {
      check()
      return undefined
    } catch (refusal) {
      return refusal
    } finally {
      this.#isRehearsal = false
    }
  }

  /** Anybody who has signed in. */
  authorizeStatus(ref: PrincipalRef): void {
    this.#audited(ref, 'status', () => {})
  }

  /** What concerns the cluster. Answers with the name for the audit log. */
  authorizeOperator(ref: PrincipalRef, what: string): string {
    if (invited.has(what)) return hostOf(this.remoteAddress)
    return this.#audited(ref, what, (principal) => {
      if (this.control.isEnabled && !principal.isNode) needAny(principal.rightsIn(undefined), 'admin')
      return principal.name === '' ? hostOf(this.remoteAddress) : principal.name
    })
  }

  #rights(principal: Principal): RightSet {
    return principal.rightsIn(this.#group)
  }

  #audited<T>(ref: PrincipalRef, what: string, ask: (principal: Principal) => T): T {
    try {
      return ask(this.control.principal(ref))
    } catch (error) {
      const isRefusal = isAlthingError(error, 'permission-denied') || isAlthingError(error, 'unauthenticated')
      if (isRefusal && !this.#isRehearsal)
        this.control.audit?.denied({ who: this.#nameOf(ref), from: this.remoteAddress, what })
      throw error
    }
  }

  #nameOf(ref: PrincipalRef): string {
    try {
      return this.control.principal(ref).name
    } catch {
      return ref[1] ?? ''
    }
  }
}

/** Calls of those whom the cluster does not know yet: they carry the secret of an invitation, and are checked by it. */
const invited: ReadonlySet<string> = new Set(['member.join'])

const none = { outcome: 'none' } as const
