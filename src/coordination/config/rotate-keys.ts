import type { ByteString } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { CallOptions, KeyValue, Store } from '../../contracts/store.ts'
import { readWholeRange } from '../range-pages.ts'
import type { SecretPlace } from './config-document.ts'
import {
  type ConfigRecord,
  currentKey,
  decodeHistoryEntry,
  decodeRecord,
  encodeRecord,
  type HistoryEntry,
  historyRange,
  type StoredValues,
  type StoredVersion,
} from './config-record.ts'
import type { SecretBox } from './secret-box.ts'

export interface Rotation {
  /** Secrets sealed anew, of current versions and of the history. */
  readonly resealed: number
  /** Those that the key which seals now had sealed already. */
  readonly unchanged: number
}

const attemptsMax = 20

/** Seals all secrets of a scope anew, each under a new data key, with the first master key. Versions keep their numbers. Rejects with `not-found` or `corrupt` where one cannot be opened. */
export async function rotateScope(
  store: Store,
  box: SecretBox,
  scope: string,
  options?: CallOptions,
): Promise<Rotation> {
  const resealer = new Resealer(box, scope)
  const key = currentKey(scope)
  await rewrite(store, key, (value) => encodeRecord(resealer.record(decodeRecord(key, value))), options)
  const { kvs } = await readWholeRange(store, { ...historyRange(scope), keysOnly: true }, options)
  for (const kv of kvs)
    await rewrite(
      store,
      kv.key,
      (value) => encodeRecord(resealer.version(decodeHistoryEntry(kv.key, value))),
      options,
    )
  return resealer.count
}

async function rewrite(
  store: Store,
  key: ByteString,
  change: (value: Uint8Array) => Uint8Array,
  options?: CallOptions,
): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const { kvs } = await store.range({ key }, options)
    const kv: KeyValue | undefined = kvs[0]
    if (kv === undefined) return
    const value = change(kv.value)
    if (Buffer.from(kv.value).equals(value)) return
    const compare = [{ target: 'modRevision', key, op: '=', value: kv.modRevision } as const]
    const reply = await store.txn({ compare, then: [{ op: 'put', key, value }] }, options)
    if (reply.succeeded) return
  }
  throw new AlthingError('conflict', `${key} was changed by others each of ${attemptsMax} times`, {
    outcome: 'none',
  })
}

class Resealer {
  readonly #box: SecretBox
  readonly #scope: string
  #resealed = 0
  #unchanged = 0

  constructor(box: SecretBox, scope: string) {
    this.#box = box
    this.#scope = scope
  }

  get count(): Rotation {
    return { resealed: this.#resealed, unchanged: this.#unchanged }
  }

  record(record: ConfigRecord): ConfigRecord {
    const { stable, staged } = record
    return {
      ...record,
      stable: this.version(stable),
      ...(staged === undefined ? {} : { staged: { ...staged, version: this.version(staged.version) } }),
    }
  }

  version<Version extends StoredVersion | HistoryEntry>(version: Version): Version {
    const instances = Object.entries(version.instances).map(
      ([instance, values]) => [instance, this.#values(values, { scope: this.#scope, instance })] as const,
    )
    return {
      ...version,
      values: this.#values(version.values, { scope: this.#scope }),
      instances: Object.fromEntries(instances),
    }
  }

  #values(values: StoredValues, place: Omit<SecretPlace, 'key'>): StoredValues {
    const entries = Object.entries(values).map(([key, stored]) => {
      if ('value' in stored) return [key, stored] as const
      if (stored.secret.key === this.#box.sealsWith) {
        this.#unchanged += 1
        return [key, stored] as const
      }
      this.#resealed += 1
      const at = { ...place, key }
      return [key, { secret: this.#box.seal(at, this.#box.open(at, stored.secret)) }] as const
    })
    return Object.fromEntries(entries)
  }
}
