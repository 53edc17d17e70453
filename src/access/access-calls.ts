import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Clock, Random } from '../contracts/world.ts'
import type { Grant } from './grants.ts'
import type { Passwords } from './passwords.ts'
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
  validateGrant,
  validateName,
} from './records.ts'
import { createToken } from './token.ts'

/** The system keys of the default store, at the node that leads it. */
export interface AccessStore {
  get<T>(key: string): { readonly value: T; readonly modRevision: number } | undefined
  list<T>(
    prefix: string,
  ): readonly { readonly key: string; readonly value: T; readonly modRevision: number }[]
  /** All or nothing; false when one has been changed meanwhile. `value` undefined deletes. */
  change(
    changes: readonly { readonly key: string; readonly value: unknown; readonly modRevision?: number }[],
  ): Promise<boolean>
}

export interface AccessCallsOptions {
  readonly store: AccessStore
  readonly clock: Clock
  readonly random: Random
  /** Absent: no passwords can be set. */
  readonly passwords?: Passwords
}

type Fields = Readonly<Record<string, unknown>>
type Call<Answer> = (argument: unknown) => Promise<Answer>

interface Change {
  readonly key: string
  readonly value: unknown
}

const recordsMax = 100_000
const attemptsMax = 8
const rootUser = 'root'

/**
 * The operator's calls for access control, by name. Each changes the records in one transaction that also renews the settings' revision, so that no
 * two of them run side by side: what one has checked still holds when it writes.
 */
export class AccessCalls {
  readonly #store: AccessStore
  readonly #clock: Clock
  readonly #random: Random
  readonly #passwords: Passwords | undefined

  constructor(options: AccessCallsOptions) {
    this.#store = options.store
    this.#clock = options.clock
    this.#random = options.random
    this.#passwords = options.passwords
  }

  /** For registration. */
  byName() {
    return {
      'access.status': this.#call(() => this.#status()),
      'access.enable': this.#call(() => this.#enable()),
      'access.disable': this.#call(() => this.#disable()),
      'access.user.add': this.#call((fields) => this.#addUser(fields)),
      'access.user.remove': this.#call((fields) => this.#removeUser(fields)),
      'access.user.password': this.#call((fields) => this.#setPassword(fields)),
      'access.user.roles': this.#call((fields) => this.#setRoles(fields)),
      'access.user.list': this.#call(() => this.#listUsers()),
      'access.role.add': this.#call((fields) => this.#addRole(fields)),
      'access.role.grant': this.#call((fields) => this.#grant(fields)),
      'access.role.revoke': this.#call((fields) => this.#revoke(fields)),
      'access.role.remove': this.#call((fields) => this.#removeRole(fields)),
      'access.role.list': this.#call(() => this.#listRoles()),
      'access.token.create': this.#call((fields) => this.#createToken(fields)),
      'access.token.revoke': this.#call((fields) => this.#revokeToken(fields)),
      'access.token.list': this.#call(() => this.#listTokens()),
    }
  }

  #call<Answer>(run: (fields: Fields) => Promise<Answer>): Call<Answer> {
    return (argument) => {
      if (argument !== null && (typeof argument !== 'object' || Array.isArray(argument)))
        throw invalidArgument('argument', argument, 'an object')
      return run((argument ?? {}) as Fields)
    }
  }

  async #status(): Promise<{ isEnabled: boolean; users: number; roles: number; tokens: number }> {
    return {
      isEnabled: this.#store.get<AccessSettings>(settingsKey)?.value.isEnabled === true,
      users: this.#store.list(usersPrefix).length,
      roles: this.#store.list(rolesPrefix).length,
      tokens: this.#store.list(tokensPrefix).length,
    }
  }

  /** Answers with a token of the user `root`, made now: nobody can lock himself out. It is shown this once. */
  async #enable(): Promise<{ user: string; token: string }> {
    const token = createToken(this.#random)
    await this.#change((settings) => {
      if (settings?.isEnabled === true)
        throw conflict('access control is on already: make further tokens with `access token create`')
      const root = this.#user(rootUser)
      const roles = new Set([...(root?.roles ?? []), rootRole])
      return [
        { key: settingsKey, value: { ...this.#settingsOr(settings), isEnabled: true } },
        { key: usersPrefix + rootUser, value: { ...(root ?? this.#newUser([])), roles: [...roles] } },
        {
          key: tokensPrefix + token.id,
          value: this.#tokenRecord(rootUser, token.hash, 'made by access enable'),
        },
      ]
    })
    return { user: rootUser, token: token.text }
  }

  async #disable(): Promise<{ isEnabled: boolean }> {
    await this.#change((settings) => [
      { key: settingsKey, value: { ...this.#settingsOr(settings), isEnabled: false } },
    ])
    return { isEnabled: false }
  }

  async #addUser(fields: Fields): Promise<{ name: string }> {
    const { name, password, allowsCertificate = false } = fields
    validateName('name', name)
    if (typeof allowsCertificate !== 'boolean')
      throw invalidArgument('allowsCertificate', allowsCertificate, 'true or false')
    const hash = password === undefined ? undefined : await this.#hash(password)
    const roles = rolesFrom(fields['roles'])
    await this.#change(() => {
      if (this.#user(name) !== undefined) throw conflict(`there is a user ${name} already`)
      this.#needRoom(usersPrefix)
      this.#needRoles(roles)
      const user: UserRecord = {
        ...this.#newUser(roles),
        ...(hash === undefined ? {} : { password: hash }),
        ...(allowsCertificate ? { allowsCertificate } : {}),
      }
      return [{ key: usersPrefix + name, value: user }]
    })
    return { name }
  }

  /** Its tokens go with it. */
  async #removeUser({ name }: Fields): Promise<{ name: string; tokens: number }> {
    validateName('name', name)
    let tokens: readonly string[] = []
    await this.#change(() => {
      this.#needUser(name)
      tokens = this.#store
        .list<TokenRecord>(tokensPrefix)
        .filter(({ value }) => value.user === name)
        .map(({ key }) => key)
      return [usersPrefix + name, ...tokens].map((key) => ({ key, value: undefined }))
    })
    return { name, tokens: tokens.length }
  }

  /** Whoever has signed in with the old one is signed out. */
  async #setPassword({ name, password }: Fields): Promise<{ name: string }> {
    validateName('name', name)
    const hash = await this.#hash(password)
    await this.#change(() => {
      const user: UserRecord = { ...this.#needUser(name), password: hash, epoch: this.#epoch() }
      return [{ key: usersPrefix + name, value: user }]
    })
    return { name }
  }

  async #setRoles(fields: Fields): Promise<{ name: string; roles: readonly string[] }> {
    const { name } = fields
    validateName('name', name)
    const roles = rolesFrom(fields['roles'])
    await this.#change(() => {
      this.#needRoles(roles)
      return [{ key: usersPrefix + name, value: { ...this.#needUser(name), roles } }]
    })
    return { name, roles }
  }

  async #listUsers() {
    return this.#store.list<UserRecord>(usersPrefix).map(({ key, value }) => ({
      name: key.slice(usersPrefix.length),
      roles: value.roles,
      hasPassword: value.password !== undefined,
      allowsCertificate: value.allowsCertificate === true,
      createdAtMs: value.createdAtMs,
    }))
  }

  async #addRole({ name }: Fields): Promise<{ name: string }> {
    validateName('name', name)
    await this.#change(() => {
      if (name === rootRole || this.#role(name) !== undefined)
        throw conflict(`there is a role ${name} already`)
      this.#needRoom(rolesPrefix)
      return [{ key: rolesPrefix + name, value: { version: 1, grants: [] } satisfies RoleRecord }]
    })
    return { name }
  }

  async #grant({ name, grant }: Fields): Promise<{ name: string }> {
    validateName('name', name)
    validateGrant(grant)
    await this.#change(() => {
      const grants = [
        ...this.#needRole(name).grants.filter((each) => !isSameRange(each, grant)),
        plainGrant(grant),
      ]
      if (grants.length > 1_000) throw new AlthingError('too-large', `role ${name} has 1000 grants`, none)
      return [{ key: rolesPrefix + name, value: { version: 1, grants } }]
    })
    return { name }
  }

  /** Takes the grant of exactly this range away. */
  async #revoke({ name, grant }: Fields): Promise<{ name: string }> {
    validateName('name', name)
    const range = { rights: ['read'], ...(grant as object) }
    validateGrant(range)
    await this.#change(() => {
      const { grants } = this.#needRole(name)
      const kept = grants.filter((each) => !isSameRange(each, range))
      if (kept.length === grants.length)
        throw new AlthingError('not-found', `role ${name} has no grant of this range`, none)
      return [{ key: rolesPrefix + name, value: { version: 1, grants: kept } }]
    })
    return { name }
  }

  /** Taken from all its users, too. */
  async #removeRole({ name }: Fields): Promise<{ name: string }> {
    validateName('name', name)
    await this.#change(() => {
      this.#needRole(name)
      const holders = this.#store
        .list<UserRecord>(usersPrefix)
        .filter(({ value }) => value.roles.includes(name))
        .map(({ key, value }) => ({
          key,
          value: { ...value, roles: value.roles.filter((role) => role !== name) },
        }))
      return [{ key: rolesPrefix + name, value: undefined }, ...holders]
    })
    return { name }
  }

  async #listRoles() {
    const own = this.#store.list<RoleRecord>(rolesPrefix).map(({ key, value }) => ({
      name: key.slice(rolesPrefix.length),
      grants: value.grants,
    }))
    return own
  }

  /** The text is in this answer and nowhere else. */
  async #createToken(fields: Fields): Promise<{ id: string; token: string; expiresAtMs?: number }> {
    const { user, label = '', ttlMs } = fields
    validateName('user', user)
    if (typeof label !== 'string' || label.length > 200)
      throw invalidArgument('label', label, 'a text of at most 200')
    if (ttlMs !== undefined && !(typeof ttlMs === 'number' && ttlMs > 0 && Number.isFinite(ttlMs)))
      throw invalidArgument('ttlMs', ttlMs, 'milliseconds > 0')
    const token = createToken(this.#random)
    const expiry = ttlMs === undefined ? {} : { expiresAtMs: Math.ceil(this.#clock.wallMs() + ttlMs) }
    await this.#change(() => {
      this.#needUser(user)
      this.#needRoom(tokensPrefix)
      const record = { ...this.#tokenRecord(user, token.hash, label), ...expiry }
      return [{ key: tokensPrefix + token.id, value: record }]
    })
    return { id: token.id, token: token.text, ...expiry }
  }

  async #revokeToken({ id }: Fields): Promise<{ id: string }> {
    validateName('id', id)
    await this.#change(() => {
      if (this.#store.get(tokensPrefix + id) === undefined)
        throw new AlthingError('not-found', `there is no token ${id}`, none)
      return [{ key: tokensPrefix + id, value: undefined }]
    })
    return { id }
  }

  async #listTokens() {
    return this.#store.list<TokenRecord>(tokensPrefix).map(({ key, value }) => ({
      id: key.slice(tokensPrefix.length),
      user: value.user,
      label: value.label,
      createdAtMs: value.createdAtMs,
      ...(value.expiresAtMs === undefined ? {} : { expiresAtMs: value.expiresAtMs }),
    }))
  }

  /** `plan` is asked again when another change came in between. */
  async #change(plan: (settings: AccessSettings | undefined) => readonly Change[]): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const settings = this.#store.get<AccessSettings>(settingsKey)
      const changes = plan(settings?.value)
      this.#assertSomebodyIsRoot(changes, settings?.value.isEnabled === true)
      const own = changes.find(({ key }) => key === settingsKey)
      const guard = {
        key: settingsKey,
        value: own?.value ?? this.#settingsOr(settings?.value),
        modRevision: settings?.modRevision ?? 0,
      }
      if (await this.#store.change([guard, ...changes.filter(({ key }) => key !== settingsKey)])) return
    }
    throw new AlthingError('conflict', 'the users and roles are being changed by others all the time', none)
  }

  /** With access control on, somebody must be left who can change it. */
  #assertSomebodyIsRoot(changes: readonly Change[], isEnabled: boolean): void {
    if (!isEnabled) return
    const after = <T>(prefix: string): Map<string, T> => {
      const records = new Map(this.#store.list<T>(prefix).map(({ key, value }) => [key, value]))
      for (const { key, value } of changes) {
        if (!key.startsWith(prefix)) continue
        if (value === undefined) records.delete(key)
        else records.set(key, value as T)
      }
      return records
    }
    const nowMs = this.#clock.wallMs()
    const signsInByToken = new Set(
      [...after<TokenRecord>(tokensPrefix).values()]
        .filter(({ expiresAtMs }) => expiresAtMs === undefined || expiresAtMs > nowMs)
        .map(({ user }) => user),
    )
    const isRoot = ([key, user]: [string, UserRecord]): boolean =>
      user.roles.includes(rootRole) &&
      (user.password !== undefined ||
        user.allowsCertificate === true ||
        signsInByToken.has(key.slice(usersPrefix.length)))
    if ([...after<UserRecord>(usersPrefix)].some(isRoot)) return
    // Switching access control off is always possible for who can still do it.
    if (changes.some(({ key, value }) => key === settingsKey && !(value as AccessSettings).isEnabled)) return
    throw conflict('nobody with the role root could sign in any more: give it to another user first')
  }

  async #hash(password: unknown) {
    if (typeof password !== 'string') throw invalidArgument('password', typeof password, 'a text')
    if (this.#passwords === undefined)
      throw new AlthingError('permission-denied', 'this node makes no passwords: use tokens', none)
    return this.#passwords.hash(password)
  }

  #settingsOr(settings: AccessSettings | undefined): AccessSettings {
    if (settings !== undefined) return settings
    const nodeKey = Buffer.from(this.#random.bytes(32)).toString('base64url')
    return { version: 1, isEnabled: false, nodeKey }
  }

  #newUser(roles: readonly string[]): UserRecord {
    return { version: 1, roles, epoch: this.#epoch(), createdAtMs: this.#clock.wallMs() }
  }

  #tokenRecord(user: string, hash: string, label: string): TokenRecord {
    return { version: 1, user, hash, label, createdAtMs: this.#clock.wallMs() }
  }

  #epoch(): string {
    return Buffer.from(this.#random.bytes(8)).toString('hex')
  }

  #user(name: string): UserRecord | undefined {
    return this.#store.get<UserRecord>(usersPrefix + name)?.value
  }

  #role(name: string): RoleRecord | undefined {
    return this.#store.get<RoleRecord>(rolesPrefix + name)?.value
  }

  #needUser(name: string): UserRecord {
    const user = this.#user(name)
    if (user === undefined) throw new AlthingError('not-found', `there is no user ${name}`, none)
    return user
  }

  #needRole(name: string): RoleRecord {
    if (name === rootRole) throw conflict('the role root is built in and cannot be changed')
    const role = this.#role(name)
    if (role === undefined) throw new AlthingError('not-found', `there is no role ${name}`, none)
    return role
  }

  #needRoles(names: readonly string[]): void {
    for (const name of names) if (name !== rootRole) this.#needRole(name)
  }

  #needRoom(prefix: string): void {
    if (this.#store.list(prefix).length >= recordsMax)
      throw new AlthingError('too-large', `there are ${recordsMax} of them already`, none)
  }
}

const none = { outcome: 'none' } as const

function conflict(message: string): AlthingError {
  return new AlthingError('conflict', message, none)
}

function rolesFrom(value: unknown): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length > 100)
    throw invalidArgument('roles', value, 'a list of at most 100 names')
  for (const name of value) validateName('roles', name)
  return [...new Set(value as string[])]
}

function isSameRange(a: Grant, b: Omit<Grant, 'rights'>): boolean {
  return a.key === b.key && a.end === b.end && a.group === b.group
}

/** Without what else the caller may have put in. */
function plainGrant({ rights, key, end, group }: Grant): Grant {
  return {
    rights: [...new Set(rights)],
    key,
    ...(end === undefined ? {} : { end }),
    ...(group === undefined ? {} : { group }),
  }
}
