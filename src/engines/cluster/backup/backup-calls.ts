import { AlthingError, invalidArgument } from '../../../contracts/errors.ts'
import type { Timer, World } from '../../../contracts/world.ts'
import { writeSnapshot } from '../../../models/store/snapshot.ts'
import type { StoreHost } from '../../local/store-host.ts'
import type { OperatorCalls, Plain } from '../operator-calls.ts'
import { backupState } from './backup-state.ts'
import { fieldsOf, optionalFlag } from '../call-fields.ts'
import { recordBackup } from './last-backup.ts'

/** A group whose store this node has a copy of. */
export interface HostedGroup {
  readonly group: number
  /** `default` for the cluster's own. */
  readonly name: string
  readonly host: StoreHost
}

export interface BackupCallsOptions {
  readonly world: World
  readonly nodeId: number
  readonly clusterId: string
  readonly version: string
  groups(): readonly HostedGroup[]
  /** Resolves when the node serves no more. */
  readonly closed: Promise<unknown>
}

/** Backups open at a time: each holds on to a state that would otherwise be let go. */
export const backupsOpenMax = 4
/** One that nobody reads from for so long is closed. */
export const backupIdleMs = 60_000

interface OpenBackup {
  readonly chunks: Iterator<Uint8Array>
  /** Where the next chunk begins. */
  offset: number
  /** Given again when its answer was lost on the way. */
  last: { readonly offset: number; readonly data: Uint8Array } | undefined
  isDone: boolean
  idle: Timer
}

/**
 * The calls with which a backup is read from a node:
 *
 *     backup.list                                       -> [{ group, name }] of which the node has a copy
 *     backup.begin  { group, withoutAccess, serializable } -> { id, clusterId, node, version, group, name, revision, compactRevision, index, keys, leases }
 *     backup.read   { id, offset }                      -> { data, done }
 *     backup.end    { id }
 *     backup.record { revision, bytes }                 on the leader: a whole backup has been taken now
 *
 * `begin` makes sure that the copy has all that was acknowledged before the call, and freezes it: in constant time, since the trees of the store are copied on
 * write. `read` writes out one chunk (256 KiB at most) a call, so the node serves on, and holds one chunk in memory, not the backup.
 */
export function registerBackupCalls(operators: OperatorCalls, options: BackupCallsOptions): void {
  const backups = new OpenBackups(options)
  operators.register({
    'backup.list': async () => options.groups().map(({ group, name }) => ({ group, name })),
    'backup.begin': (argument) => backups.begin(argument),
    'backup.read': async (argument) => backups.read(argument),
    'backup.end': async (argument) => backups.end(argument),
    'backup.record': (argument) => recordBackup(options, argument),
  })
}

class OpenBackups {
  readonly #options: BackupCallsOptions
  readonly #open = new Map<number, OpenBackup>()
  #lastId = 0

  constructor(options: BackupCallsOptions) {
    this.#options = options
    void options.closed.then(() => {
      for (const id of this.#open.keys()) this.end({ id })
    })
  }

  async begin(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['group', 'withoutAccess', 'serializable'])
    const found = this.#find(fields['group'] ?? 1)
    const withoutAccess = optionalFlag(fields, 'withoutAccess') ?? false
    if (optionalFlag(fields, 'serializable') !== true) await readBarrier(found.host)
    else if (found.host.group.failure !== undefined) throw found.host.group.failure
    if (this.#open.size >= backupsOpenMax)
      throw new AlthingError('overloaded', `${backupsOpenMax} backups are being read from this node already`)
    return this.#freeze(found, withoutAccess)
  }

  read(argument: Plain): Plain {
    const { id, offset } = fieldsOf(argument, ['id', 'offset'])
    const backup = this.#backup(id)
    this.#touch(id as number, backup)
    if (backup.last !== undefined && backup.last.offset === offset)
      return { data: backup.last.data, done: backup.isDone }
    if (backup.offset !== offset)
      throw invalidArgument('offset', offset, `${backup.offset}: a backup is read once, from its beginning`)
    const next = backup.chunks.next()
    const data: Uint8Array = next.done === true ? new Uint8Array(0) : next.value
    backup.isDone = next.done === true
    backup.last = { offset: backup.offset, data }
    backup.offset += data.byteLength
    return { data, done: backup.isDone }
  }

  end(argument: Plain): Plain {
    const { id } = fieldsOf(argument, ['id'])
    const backup = this.#open.get(Number(id))
    backup?.idle.cancel()
    this.#open.delete(Number(id))
    return null
  }

  #find(group: unknown): HostedGroup {
    const groups = this.#options.groups()
    const found = groups.find((each) => each.group === group || each.name === group)
    if (found !== undefined) return found
    const have = groups.map((each) => each.name).join(', ')
    throw new AlthingError(
      'not-found',
      `node ${this.#options.nodeId} has no copy of group ${String(group)}, but of ${have}`,
      { outcome: 'none' },
    )
  }

  #freeze({ group, name, host }: HostedGroup, withoutAccess: boolean): Plain {
    const { nodeId, clusterId, version } = this.#options
    const state = backupState(host.model.freeze(), withoutAccess)
    const id = ++this.#lastId
    const backup: OpenBackup = {
      chunks: writeSnapshot(state)[Symbol.iterator](),
      offset: 0,
      last: undefined,
      isDone: false,
      idle: this.#idleTimer(id),
    }
    this.#open.set(id, backup)
    const { revision, compactRevision, current } = state.keys
    const origin = { id, clusterId, node: nodeId, version, group, name }
    const index = host.group.appliedIndex
    return { ...origin, revision, compactRevision, index, keys: current.size, leases: state.leases.ttls.size }
  }

  #backup(id: unknown): OpenBackup {
    const backup = this.#open.get(Number(id))
    if (backup !== undefined) return backup
    throw new AlthingError(
      'not-found',
      `no backup ${String(id)} is open: it was ended, or nobody read from it for ${backupIdleMs / 1_000} s`,
      { outcome: 'none' },
    )
  }

  #touch(id: number, backup: OpenBackup): void {
    backup.idle.cancel()
    backup.idle = this.#idleTimer(id)
  }

  #idleTimer(id: number): Timer {
    return this.#options.world.timers.after(backupIdleMs, () => this.#open.delete(id))
  }
}

function readBarrier(host: StoreHost): Promise<void> {
  return new Promise((resolve, reject) => {
    host.group.readBarrier((error) => {
      if (error === undefined) resolve()
      else reject(error)
    })
  })
}
