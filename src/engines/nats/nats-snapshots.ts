import { AlthingError } from '../../contracts/errors.ts'
import { natsError } from './nats-errors.ts'
import type { JetStreamClient, JetStreamManager } from './nats-library.ts'
import type { StoreStreams } from './nats-streams.ts'
import type { SnapshotManifest } from './shared-log.ts'

const attemptMs = 5_000
const wrongLastSequence = 10_071
const text = new TextDecoder()

/** A manifest as it is stored: it knows the messages that hold the chunks, and where the one before it is. */
interface StoredManifest extends SnapshotManifest {
  readonly chunkSequences: readonly number[]
  readonly previous: number
}

interface Found {
  readonly manifest: StoredManifest
  /** Of the message that holds the manifest. */
  readonly sequence: number
}

export interface NatsSnapshotsOptions {
  readonly manager: JetStreamManager
  readonly client: JetStreamClient
  readonly streams: StoreStreams
}

/**
 * Snapshots in a stream of their own: chunks, and after them a manifest, which the server takes only if it follows the manifest that its writer had seen. The newest two are kept,
 * so that whoever is reading one is not cut off by the next.
 */
export class NatsSnapshots {
  readonly #options: NatsSnapshotsOptions

  constructor(options: NatsSnapshotsOptions) {
    this.#options = options
  }

  async list(): Promise<readonly SnapshotManifest[]> {
    return (await this.#found()).map(({ manifest }) => manifest)
  }

  async *read(manifest: SnapshotManifest): AsyncIterable<Uint8Array> {
    const { manager, streams } = this.#options
    for (const seq of (manifest as StoredManifest).chunkSequences) {
      const message = await asked(() => manager.streams.getMessage(streams.snapshots, { seq }))
      if (message?.subject !== streams.chunkSubject(manifest.id))
        throw new AlthingError('not-found', `snapshot ${manifest.id} is gone: there is a newer one`)
      yield message.data
    }
  }

  async save(
    head: Omit<SnapshotManifest, 'chunks' | 'bytes'>,
    chunks: Iterable<Uint8Array>,
  ): Promise<boolean> {
    const [newest, ...older] = await this.#found()
    if (newest !== undefined && newest.manifest.sequence >= head.sequence) return false
    let isKept = false
    try {
      const { chunkSequences, bytes } = await this.#saveChunks(head.id, chunks)
      const manifest: StoredManifest = {
        ...head,
        chunks: chunkSequences.length,
        bytes,
        chunkSequences,
        previous: newest?.sequence ?? 0,
      }
      isKept = await this.#saveManifest(manifest)
    } finally {
      if (!isKept) await this.#forget(head.id).catch(() => undefined)
    }
    if (isKept) for (const { manifest } of older) await this.#forget(manifest.id)
    return isKept
  }

  async #saveChunks(
    id: string,
    chunks: Iterable<Uint8Array>,
  ): Promise<{ readonly chunkSequences: readonly number[]; readonly bytes: number }> {
    const { client, streams } = this.#options
    const chunkSequences: number[] = []
    let bytes = 0
    for (const chunk of chunks) {
      const subject = streams.chunkSubject(id)
      const { seq } = await asked(() => client.publish(subject, chunk, { timeout: attemptMs, retries: 1 }))
      chunkSequences.push(seq)
      bytes += chunk.byteLength
    }
    return { chunkSequences, bytes }
  }

  async #saveManifest(manifest: StoredManifest): Promise<boolean> {
    const { client, streams } = this.#options
    const data = new TextEncoder().encode(JSON.stringify(manifest))
    const expect = { lastSubjectSequence: manifest.previous }
    try {
      await client.publish(streams.manifestSubject, data, { timeout: attemptMs, retries: 1, expect })
      return true
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === wrongLastSequence) return false
      const failure = natsError(error)
      if (failure.outcome === 'none') throw failure
      // It may be there all the same.
      const [newest] = await this.#found()
      if (newest?.manifest.id === manifest.id) return true
      throw failure
    }
  }

  /** The newest, and the one before it where it is still there. */
  async #found(): Promise<readonly Found[]> {
    const { manager, streams } = this.#options
    const found: Found[] = []
    let query: { seq: number } | { last_by_subj: string } = { last_by_subj: streams.manifestSubject }
    for (let count = 0; count < 3; count++) {
      const asking = query
      const message = await asked(() => manager.streams.getMessage(streams.snapshots, asking))
      if (message?.subject !== streams.manifestSubject) break
      const manifest = parse(message.data)
      found.push({ manifest, sequence: message.seq })
      if (manifest.previous === 0) break
      query = { seq: manifest.previous }
    }
    return found
  }

  async #forget(id: string): Promise<void> {
    const { manager, streams } = this.#options
    await asked(() => manager.streams.purge(streams.snapshots, { filter: streams.chunkSubject(id) }))
    await asked(() => manager.streams.purge(streams.snapshots, { filter: streams.manifestSubject, keep: 2 }))
  }
}

async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw natsError(error)
  }
}

function parse(data: Uint8Array): StoredManifest {
  try {
    const manifest = JSON.parse(text.decode(data)) as StoredManifest
    const isWhole =
      Number.isSafeInteger(manifest.sequence) &&
      Array.isArray(manifest.chunkSequences) &&
      manifest.chunkSequences.length === manifest.chunks
    if (isWhole) return manifest
  } catch {
    // Told below, as what is not whole is.
  }
  throw new AlthingError('corrupt', 'the manifest of the newest snapshot is not well formed')
}
