import { AlthingError } from '../contracts/errors.ts'
import type { Operation, Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { equalBytes } from '../base/bytes.ts'
import { decodeMarker, encodeMarker, markerKey, type TargetMarker } from './marker.ts'
import { patiently } from './patiently.ts'

export type Change = Extract<Operation, { op: 'put' | 'delete' }>

/** With the marker's own put a transaction is within the bounds of every engine. */
const changesMax = 100
const bytesMax = 1024 * 1024

export interface TargetWriterOptions {
  readonly store: Store
  readonly world: Pick<World, 'clock' | 'timers'>
  readonly signal?: AbortSignal
}

/**
 * Writes to the new store, exactly once whatever the engine promises: each transaction takes the marker from one state to the next, so one that comes late, or a
 * second time, finds another state and changes nothing.
 */
export class TargetWriter {
  readonly #options: TargetWriterOptions
  #marker: TargetMarker

  constructor(options: TargetWriterOptions, marker: TargetMarker) {
    this.#options = options
    this.#marker = marker
  }

  get marker(): TargetMarker {
    return this.#marker
  }

  /** Makes the changes, of which no two are of one key, and enters how far the migration is with the last of them. Rejects with `conflict` when another run has taken over. */
  async write(
    changes: readonly Change[],
    progress: Pick<TargetMarker, 'phase' | 'revision' | 'cursor'>,
  ): Promise<void> {
    const pieces = [...split(changes)]
    for (const [at, piece] of pieces.entries()) {
      const isLast = at === pieces.length - 1
      await this.#transact(piece, isLast ? progress : {})
    }
  }

  /** Removes the marker: the migration is over. */
  async end(): Promise<void> {
    const before = encodeMarker(this.#marker)
    await patiently(this.#options.world, this.#options.signal, () =>
      this.#options.store.txn({
        compare: [{ target: 'value', key: markerKey, op: '=', value: before }],
        then: [{ op: 'delete', key: markerKey }],
      }),
    )
  }

  async #transact(changes: readonly Change[], progress: Partial<TargetMarker>): Promise<void> {
    const { store, world, signal } = this.#options
    const next = { ...this.#marker, ...progress, sequence: this.#marker.sequence + 1 }
    const before = encodeMarker(this.#marker)
    const after = encodeMarker(next)
    await patiently(world, signal, async () => {
      const reply = await store.txn({
        compare: [{ target: 'value', key: markerKey, op: '=', value: before }],
        then: [...changes, { op: 'put', key: markerKey, value: after }],
        else: [{ op: 'range', key: markerKey }],
      })
      if (reply.succeeded) return
      const [found] = reply.replies
      const value = found?.op === 'range' ? found.kvs[0]?.value : undefined
      // An attempt before this one had arrived.
      if (value !== undefined && equalBytes(value, after)) return
      throw takenOver(value)
    })
    this.#marker = next
  }
}

function* split(changes: readonly Change[]): Generator<readonly Change[]> {
  let piece: Change[] = []
  let bytes = 0
  for (const change of changes) {
    const size = change.key.length + (change.op === 'put' ? change.value.byteLength : 0)
    if (piece.length > 0 && (piece.length >= changesMax || bytes + size > bytesMax)) {
      yield piece
      piece = []
      bytes = 0
    }
    piece.push(change)
    bytes += size
  }
  yield piece
}

function takenOver(value: Uint8Array | undefined): AlthingError {
  const marker = value === undefined ? undefined : decodeMarker(value)
  const who = marker?.role === 'target' ? `run ${marker.run}` : 'someone else'
  return new AlthingError('conflict', `${who} has taken over this migration`, { outcome: 'none' })
}
