import { prefixEnd, textFromBytes } from '../base/bytes.ts'
import type { KeyRange, KeyValue, RangeReply, WatchEvent } from '../contracts/store.ts'
import { accessPrefix } from '../models/store/system-keys.ts'
import { type Grant, rootGrant } from './grants.ts'
import {
  GrantedPrincipal,
  nodePrincipal,
  openPrincipal,
  type Principal,
  type PrincipalRef,
} from './principal.ts'
import {
  type AccessSettings,
  rolesPrefix,
  type RoleRecord,
  rootRole,
  settingsKey,
  tokensPrefix,
  type TokenRecord,
  type UserRecord,
  usersPrefix,
} from './records.ts'

/** The applied state of the store, as far as it is read here. */
export interface AppliedKeys {
  range(request: KeyRange & { readonly revision?: number }): RangeReply
}

/** The access records of one copy of the store: exactly what has been applied there, and who may do what by it. */
export class AccessState {
  #settings: AccessSettings | undefined
  readonly #users = new Map<string, UserRecord>()
  readonly #roles = new Map<string, RoleRecord>()
  readonly #tokens = new Map<string, TokenRecord>()
  /** By user; emptied with each change. */
  readonly #principals = new Map<string, Principal>()

  get isEnabled(): boolean {
    return this.#settings?.isEnabled === true
  }

  get settings(): AccessSettings | undefined {
    return this.#settings
  }

  user(name: string): UserRecord | undefined {
    return this.#users.get(name)
  }

  token(id: string): TokenRecord | undefined {
    return this.#tokens.get(id)
  }

  get counts(): { readonly users: number; readonly roles: number; readonly tokens: number } {
    return { users: this.#users.size, roles: this.#roles.size, tokens: this.#tokens.size }
  }

  /** The next moment (wall clock) at which a token ends; undefined: none does. */
  nextExpiryMs(afterMs: number): number | undefined {
    let next: number | undefined
    for (const { expiresAtMs } of this.#tokens.values()) {
      if (expiresAtMs === undefined || expiresAtMs <= afterMs) continue
      if (next === undefined || expiresAtMs < next) next = expiresAtMs
    }
    return next
  }

  /** Reads everything anew. */
  load(applied: AppliedKeys): void {
    this.#settings = undefined
    for (const records of [this.#users, this.#roles, this.#tokens, this.#principals]) records.clear()
    const end = prefixEnd(accessPrefix) ?? null
    for (let key = accessPrefix; ; ) {
      const { kvs, more } = applied.range({ key, end })
      for (const kv of kvs) this.#put(kv)
      const last = kvs[kvs.length - 1]
      if (!more || last === undefined) return
      key = `${last.key}\u0000`
    }
  }

  /** One applied change. False: it was none of access control's. */
  apply(events: readonly WatchEvent[]): boolean {
    let isOurs = false
    for (const event of events) {
      const key = event.type === 'put' ? event.kv.key : event.key
      if (!key.startsWith(accessPrefix)) continue
      isOurs = true
      if (event.type === 'put') this.#put(event.kv)
      else this.#delete(key)
    }
    if (isOurs) this.#principals.clear()
    return isOurs
  }

  /** What the caller may do now; undefined: it has nothing to show that is valid (any more). */
  resolve(ref: PrincipalRef, nowMs: number): Principal | undefined {
    if (ref[0] === 'node') return nodePrincipal
    if (!this.isEnabled) return openPrincipal
    switch (ref[0]) {
      case 'token': {
        const token = this.#tokens.get(ref[1])
        if (token === undefined || (token.expiresAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) return undefined
        return this.#principalOf(token.user)
      }
      case 'user':
        return this.#users.get(ref[1])?.epoch === ref[2] ? this.#principalOf(ref[1]) : undefined
      case 'certificate':
        return this.#users.get(ref[1])?.allowsCertificate === true ? this.#principalOf(ref[1]) : undefined
      default:
        return undefined
    }
  }

  #principalOf(name: string): Principal | undefined {
    const known = this.#principals.get(name)
    if (known !== undefined) return known
    const user = this.#users.get(name)
    if (user === undefined) return undefined
    const principal = new GrantedPrincipal(
      name,
      user.roles.flatMap((role) => this.#grantsOf(role)),
    )
    this.#principals.set(name, principal)
    return principal
  }

  #grantsOf(role: string): readonly Grant[] {
    return role === rootRole ? [rootGrant] : (this.#roles.get(role)?.grants ?? [])
  }

  #put({ key, value }: KeyValue): void {
    const record = JSON.parse(textFromBytes(value)) as unknown
    if (key === settingsKey) this.#settings = record as AccessSettings
    else if (key.startsWith(usersPrefix)) this.#users.set(key.slice(usersPrefix.length), record as UserRecord)
    else if (key.startsWith(rolesPrefix)) this.#roles.set(key.slice(rolesPrefix.length), record as RoleRecord)
    else if (key.startsWith(tokensPrefix))
      this.#tokens.set(key.slice(tokensPrefix.length), record as TokenRecord)
  }

  #delete(key: string): void {
    if (key === settingsKey) this.#settings = undefined
    else if (key.startsWith(usersPrefix)) this.#users.delete(key.slice(usersPrefix.length))
    else if (key.startsWith(rolesPrefix)) this.#roles.delete(key.slice(rolesPrefix.length))
    else if (key.startsWith(tokensPrefix)) this.#tokens.delete(key.slice(tokensPrefix.length))
  }
}
