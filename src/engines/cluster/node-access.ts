import { AccessCalls } from '../../access/access-calls.ts'
import { AccessControl } from '../../access/access-control.ts'
import { AuditLog } from '../../access/audit-log.ts'
import { type KeyDerivation, Passwords } from '../../access/passwords.ts'
import { type RateLimitOptions, RateLimits } from '../../access/rate-limits.ts'
import type { World } from '../../contracts/world.ts'
import type { StoreHost } from '../local/store-host.ts'
import { fieldsOf, optionalWhole } from './call-fields.ts'
import type { OperatorCall, Plain } from './operator-calls.ts'
import type { SystemStore } from './system-store.ts'

/** What a node's access control needs from outside, besides the world. */
export interface NodeAccessOptions {
  /** Absent: users sign in with tokens only. */
  readonly derivation?: KeyDerivation
  /** Path of the audit log in the world's disk; absent: there is none. */
  readonly auditLog?: string
  /** For each caller, at this node (default: none). */
  readonly rateLimits?: RateLimitOptions
}

const auditLinesDefault = 100
const auditLinesMax = 1_000

/** Access control as one node has it: who may do what, by this node's copy of the default store, and the calls that change it. */
export class NodeAccess {
  readonly control: AccessControl
  readonly limits: RateLimits
  /** For operators; only the leader of the default store can carry them out. */
  readonly calls: Readonly<Record<string, OperatorCall>>
  /** For operators, of this node: `audit.read { limit }`, the newest lines of its audit log. */
  readonly ownCalls: Readonly<Record<string, OperatorCall>> = {
    'audit.read': async (argument) => {
      const limit = optionalWhole(fieldsOf(argument, ['limit']), 'limit') ?? auditLinesDefault
      return plain((await this.audit?.tail(Math.min(limit, auditLinesMax))) ?? [])
    },
  }
  readonly audit: AuditLog | undefined

  constructor(
    world: World,
    node: { readonly id: number; readonly host: StoreHost; readonly system: SystemStore },
    options: NodeAccessOptions,
  ) {
    const { derivation, auditLog, rateLimits } = options
    const { host } = node
    const passwords = derivation === undefined ? {} : { passwords: new Passwords(derivation, world.random) }
    this.audit = auditLog === undefined ? undefined : new AuditLog({ world, path: auditLog, node: node.id })
    this.limits = new RateLimits(world.clock, rateLimits)
    this.control = new AccessControl({
      world,
      applied: host.model,
      limits: this.limits,
      barrier: (done) => host.group.readBarrier(done),
      ...passwords,
      ...(this.audit === undefined ? {} : { audit: this.audit }),
    })
    host.onSystemChange((events) => {
      if (events === undefined) this.control.replaced()
      else this.control.applied(events)
    })
    const calls = new AccessCalls({
      store: node.system,
      clock: world.clock,
      random: world.random,
      ...passwords,
    })
    this.calls = Object.fromEntries(
      Object.entries(calls.byName()).map(([name, call]) => [
        name,
        async (argument: Plain) => plain(await call(argument)),
      ]),
    )
  }

  async close(): Promise<void> {
    this.control.close()
    await this.audit?.close()
  }
}

function plain(answer: unknown): Plain {
  return JSON.parse(JSON.stringify(answer)) as Plain
}
