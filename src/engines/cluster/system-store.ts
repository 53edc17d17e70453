import { bytesFromText, prefixEnd, textFromBytes } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Compare, KeyValue, Operation } from '../../contracts/store.ts'
import { encodeCommand } from '../../models/store/codec.ts'
import type { StoreCommand } from '../../models/store/types.ts'
import { type StoreHost, unwrapReply } from '../local/store-host.ts'

/** A JSON value of the cluster's own keys. */
export interface SystemEntry<T> {
  readonly key: string
  readonly value: T
  /** 0: there is none. */
  readonly modRevision: number
}

/** One key of a change: its new value, or `undefined` to delete it, provided that it has not changed since it was read. */
export interface SystemChange {
  readonly key: string
  readonly value: unknown
  /** 0: only when there is none. Absent: whatever there is. */
  readonly modRevision?: number
}

/** What the cluster keeps of itself in group 1, under keys that begin with a zero byte: read from this node's copy, changed through the leader. */
export class SystemStore {
  readonly #host: StoreHost

  constructor(host: StoreHost) {
    this.#host = host
  }

  /** As this copy has it: behind the leader's by what is not yet applied here. */
  get<T>(key: string): SystemEntry<T> | undefined {
    const kv = this.#host.model.range({ key }).kvs[0]
    return kv === undefined ? undefined : entryOf<T>(kv)
  }

  list<T>(prefix: string): SystemEntry<T>[] {
    const found: SystemEntry<T>[] = []
    const end = prefixEnd(prefix) ?? null
    // A reply is bounded, so it may take more than one.
    for (let key = prefix; ; ) {
      const { kvs, more } = this.#host.model.range({ key, end })
      for (const kv of kvs) found.push(entryOf<T>(kv))
      const last = kvs[kvs.length - 1]
      if (!more || last === undefined) return found
      key = `${last.key}\0`
    }
  }

  /** Calls `changed` after each change of a key with that prefix, and when the whole copy was replaced. Call `get` or `list` then. */
  follow(prefix: string, changed: () => void): void {
    const sink = {
      push: (): boolean => {
        changed()
        return true
      },
    }
    this.#host.watches.add({ key: prefix, end: prefixEnd(prefix) ?? null }, sink)
  }

  /**
   * Changes the keys together, or none of them: `false` when one has been changed by another meanwhile. On a node that does not lead it rejects with
   * `unavailable`.
   */
  change(changes: readonly SystemChange[]): Promise<boolean> {
    const compare = changes.flatMap(({ key, modRevision }): Compare[] =>
      modRevision === undefined ? [] : [{ target: 'modRevision', key, op: '=', value: modRevision }],
    )
    const then = changes.map(
      ({ key, value }): Operation =>
        value === undefined
          ? { op: 'delete', key }
          : { op: 'put', key, value: bytesFromText(JSON.stringify(value)), lease: 0 },
    )
    const stamp = { session: 0, sequence: 0, acknowledged: 0 }
    const command: StoreCommand = { ...stamp, type: 'txn', compare, then, else: [] }
    return new Promise((resolve, reject) => {
      this.#host.mutate(encodeCommand(command), command, (error, reply) => {
        try {
          if (error !== undefined || reply === undefined) throw error ?? noReply()
          resolve(unwrapReply(reply, 'txn').reply.succeeded)
        } catch (cause) {
          reject(cause as AlthingError)
        }
      })
    })
  }
}

function entryOf<T>({ key, value, modRevision }: KeyValue): SystemEntry<T> {
  return { key, value: JSON.parse(textFromBytes(value)) as T, modRevision }
}

function noReply(): AlthingError {
  return new AlthingError('internal', 'a command was applied without a reply', { outcome: 'unknown' })
}
