import type { KeyValue, WatchBatch, WatchEvent } from '../../contracts/store.ts'
import { encodeWatchBatch, type Wire } from '../../models/store/wire.ts'
import { encodeBody } from './protocol.ts'

/** Bytes of keys and values after which a part ends. With one more key it must fit in a frame, whatever its encoding adds. */
const partBytes = 4 * 1024 * 1024
const overheadBytes = 64

/** A batch may be larger than a frame: it goes out in parts `[isLast, batch]`, to be joined by the client. Parts are encoded one at a time. */
export function* partsOf(batch: WatchBatch): Iterable<readonly [boolean, Wire]> {
  if (batch.kind === 'events') {
    for (const [isLast, events] of slices(batch.events, eventBytes))
      yield [isLast, encodeWatchBatch({ ...batch, events })]
  } else if (batch.kind === 'resync') {
    for (const [isLast, kvs] of slices(batch.kvs, keyValueBytes))
      yield [isLast, encodeWatchBatch({ ...batch, kvs })]
  } else yield [true, encodeWatchBatch(batch)]
}

const encodings = new WeakMap<WatchBatch, readonly Uint8Array[]>()

/**
 * The encodings of {@link partsOf}. Watchers of one range are given the same batch: where it is a single part it is encoded once for all of them, and forgotten with the
 * batch. A larger one is encoded a part at a time, so that it is never in memory twice.
 */
export function encodedPartsOf(batch: WatchBatch): Iterable<Uint8Array> {
  const known = encodings.get(batch)
  if (known !== undefined) return known
  if (batch.kind !== 'events') return encodedParts(batch)
  for (const part of partsOf(batch)) {
    const isWhole = part[0]
    if (!isWhole) break
    const encoded = [encodeBody(part)]
    encodings.set(batch, encoded)
    return encoded
  }
  return encodedParts(batch)
}

function* encodedParts(batch: WatchBatch): Generator<Uint8Array, void, undefined> {
  for (const part of partsOf(batch)) yield encodeBody(part)
}

function* slices<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
): Iterable<readonly [boolean, readonly T[]]> {
  let start = 0
  let bytes = 0
  for (let i = 0; i < items.length; i++) {
    bytes += bytesOf(items[i] as T)
    if (bytes < partBytes || i === items.length - 1) continue
    yield [false, items.slice(start, i + 1)]
    start = i + 1
    bytes = 0
  }
  yield [true, start === 0 ? items : items.slice(start)]
}

function eventBytes(event: WatchEvent): number {
  const previous = event.previous === undefined ? 0 : keyValueBytes(event.previous)
  return previous + (event.type === 'put' ? keyValueBytes(event.kv) : event.key.length + overheadBytes)
}

function keyValueBytes(kv: KeyValue): number {
  return kv.key.length + kv.value.byteLength + overheadBytes
}
