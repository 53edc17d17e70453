import { AlthingError } from '../../contracts/errors.ts'
import type { LeaseId } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { BinaryReader, BinaryWriter } from '../../models/store/binary.ts'
import { SnapshotReader } from '../../models/store/snapshot-reader.ts'
import type { StateHash } from '../../models/store/types.ts'
import { runInSlices } from '../../replication/in-slices.ts'
import type { LeaseTerm, LogMachine, MachinePosition } from './log-machine.ts'
import type { SnapshotManifest } from './shared-log.ts'

/**
 * A snapshot is chunks, each of which begins with its kind:
 *
 *     position | terms of leases ... | snapshot of the store model ...
 */
export const snapshotFormat = 1
const kinds = { position: 1, terms: 2, model: 3 } as const
const termsPerChunk = 8_192

export interface FrozenMachine {
  readonly position: MachinePosition
  readonly state: StateHash
  readonly chunks: Iterable<Uint8Array>
}

/** The machine as it is now: later messages do not change what `chunks` gives. Takes time in proportion to the number of leases. */
export function freezeMachine(machine: LogMachine): FrozenMachine {
  const { position, model } = machine
  const terms = machine.terms()
  const state = model.stateHash()
  const modelChunks = model.snapshot()
  return { position, state, chunks: chunksOf(position, terms, modelChunks) }
}

function* chunksOf(
  position: MachinePosition,
  terms: readonly (readonly [LeaseId, LeaseTerm])[],
  modelChunks: Iterable<Uint8Array>,
): Generator<Uint8Array, void, undefined> {
  const head = new BinaryWriter(64)
  head.byte(kinds.position)
  head.uint(position.sequence)
  head.uint(position.clockMs)
  head.uint(position.timeMs)
  yield head.finish()
  for (let first = 0; first < terms.length; first += termsPerChunk) {
    const page = terms.slice(first, first + termsPerChunk)
    const writer = new BinaryWriter(page.length * 24)
    writer.byte(kinds.terms)
    writer.uint(page.length)
    for (const [lease, { ttlMs, sequence, clockMs }] of page)
      for (const number of [lease, ttlMs, sequence, clockMs]) writer.uint(number)
    yield writer.finish()
  }
  for (const chunk of modelChunks) {
    const writer = new BinaryWriter(chunk.byteLength + 1)
    writer.byte(kinds.model)
    writer.raw(chunk)
    yield writer.finish()
  }
}

/**
 * Gives the machine the state of a snapshot, in steps that leave the loop free. The state is the old one until all of the snapshot has been read. Rejects with `corrupt` when the
 * snapshot is damaged or its state is not the one that it was said to be, and with `incompatible-peer` for a later format.
 */
export async function restoreMachine(
  world: World,
  machine: LogMachine,
  manifest: SnapshotManifest,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  if (manifest.format !== snapshotFormat) {
    throw new AlthingError(
      'incompatible-peer',
      `the snapshot has format ${manifest.format}, but this program reads format ${snapshotFormat}`,
      { outcome: 'none' },
    )
  }
  const content = new Content()
  const reader = new SnapshotReader()
  for await (const chunk of chunks) {
    const modelChunk = content.add(chunk)
    if (modelChunk !== undefined) await runInSlices(world, reader.add(modelChunk), always)
  }
  const { position } = content
  if (position?.sequence !== manifest.sequence) throw corrupt(manifest, 'is of another message')
  await runInSlices(world, machine.model.adopting(reader), always)
  machine.adopt(position, content.terms)
  const { hash, sessionsHash } = machine.model.stateHash()
  if (hash !== manifest.hash || sessionsHash !== manifest.sessionsHash)
    throw corrupt(
      manifest,
      `has the hash ${hash}/${sessionsHash}, not ${manifest.hash}/${manifest.sessionsHash}`,
    )
  if (content.terms.length !== machine.model.leaseCount) throw corrupt(manifest, 'has leases without a time')
}

class Content {
  position: MachinePosition | undefined
  readonly terms: (readonly [LeaseId, LeaseTerm])[] = []

  /** The chunk of the model that is in it, if any. */
  add(chunk: Uint8Array): Uint8Array | undefined {
    if (chunk[0] === kinds.model) return chunk.subarray(1)
    const reader = new BinaryReader(chunk, 'a snapshot')
    const kind = reader.byte()
    if (kind === kinds.position) this.#readPosition(reader)
    else if (kind === kinds.terms) this.#readTerms(reader)
    else throw reader.corrupt(`has an unknown kind of chunk ${kind}`)
    reader.end()
    return undefined
  }

  #readPosition(reader: BinaryReader): void {
    const sequence = reader.uint()
    const clockMs = reader.uint()
    const timeMs = reader.uint()
    this.position = { sequence, clockMs, timeMs, snapshotSequence: sequence, bytesSinceSnapshot: 0 }
  }

  #readTerms(reader: BinaryReader): void {
    const count = reader.count(4)
    for (let i = 0; i < count; i++) {
      const lease = reader.uint()
      const ttlMs = reader.uint()
      const sequence = reader.uint()
      this.terms.push([lease, { ttlMs, sequence, clockMs: reader.uint() }])
    }
  }
}

function always(): boolean {
  return true
}

function corrupt(manifest: SnapshotManifest, why: string): AlthingError {
  return new AlthingError('corrupt', `the snapshot of message ${manifest.sequence} ${why}`, {
    details: { sequence: manifest.sequence, id: manifest.id },
  })
}
