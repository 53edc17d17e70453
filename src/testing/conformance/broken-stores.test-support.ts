import { type AlthingError, asAlthingError, withOutcome } from '../../contracts/errors.ts'
import type { RangeReply, Store, TxnReply, TxnRequest, Watch, WatchBatch } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'

/** A store that does one thing wrong. */
export interface Mistake {
  readonly name: string
  /** The area whose cases must find it. */
  readonly area: string
  readonly make: (store: Store, world: World) => Partial<Store>
}

/** The store with some of its members replaced. */
export function withMembers(store: Store, members: Partial<Store>): Store {
  const { keepLeasesAlive } = store
  return {
    capabilities: store.capabilities,
    range: (request, options) => store.range(request, options),
    txn: (request, options) => store.txn(request, options),
    grantLease: (request, options) => store.grantLease(request, options),
    keepLeaseAlive: (lease, options) => store.keepLeaseAlive(lease, options),
    ...(keepLeasesAlive === undefined ? {} : { keepLeasesAlive: keepLeasesAlive.bind(store) }),
    revokeLease: (lease, options) => store.revokeLease(lease, options),
    leases: (options) => store.leases(options),
    compact: (revision, options) => store.compact(revision, options),
    watch: (request) => store.watch(request),
    close: () => store.close(),
    ...members,
  }
}

/** A watch whose batches pass through `change`, which gives none, one or several for each. */
function changedWatch(watch: Watch, change: (batch: WatchBatch) => readonly WatchBatch[]): Watch {
  return {
    close: () => watch.close(),
    async *[Symbol.asyncIterator]() {
      for await (const batch of watch) yield* change(batch)
    },
  }
}

function watching(change: () => (batch: WatchBatch) => readonly WatchBatch[]): Mistake['make'] {
  return (store) => ({ watch: (request) => changedWatch(store.watch(request), change()) })
}

function everyNth(n: number): () => boolean {
  let count = 0
  return () => ++count % n === 0
}

const writes = ({ then = [] }: TxnRequest): boolean => then.some(({ op }) => op === 'put')

async function oneByOne(store: Store, request: TxnRequest): Promise<TxnReply> {
  const { then = [], compare = [] } = request
  if (compare.length > 0 || then.length < 2) return store.txn(request)
  const replies: TxnReply[] = []
  for (const operation of then) replies.push(await store.txn({ then: [operation] }))
  const { revision } = replies.at(-1) as TxnReply
  return { revision, succeeded: true, replies: replies.flatMap((reply) => reply.replies) }
}

const readMistakes: readonly Mistake[] = [
  {
    name: 'reads the newest state whatever revision is asked for',
    area: 'older reads',
    make: (store) => ({
      range: ({ revision, ...request }, options) =>
        store.range(revision === 0 ? { ...request, revision } : request, options),
    }),
  },
  {
    name: 'never says that there is more',
    area: 'reads',
    make: (store) => ({
      range: async (request, options) => ({ ...(await store.range(request, options)), more: false }),
    }),
  },
  {
    name: 'counts what it shows',
    area: 'reads',
    make: (store) => ({
      range: async (request, options) => {
        const reply = await store.range(request, options)
        return request.countOnly === true ? reply : { ...reply, count: reply.kvs.length }
      },
    }),
  },
  {
    name: 'takes a negative limit for none',
    area: 'bounds',
    make: (store) => ({
      range: (request, options) =>
        store.range({ ...request, limit: Math.max(0, request.limit ?? 0) }, options),
    }),
  },
  {
    name: 'answers from an old copy at times',
    area: 'concurrency',
    make: (store) => {
      const old = new Map<string, RangeReply>()
      const isOld = everyNth(3)
      return {
        range: async (request, options) => {
          const name = JSON.stringify(request)
          const kept = old.get(name)
          if (kept !== undefined && isOld()) return kept
          const reply = await store.range(request, options)
          old.set(name, kept ?? reply)
          return reply
        },
      }
    },
  },
]

const writeMistakes: readonly Mistake[] = [
  {
    name: 'loses one in seven puts that it acknowledges',
    area: 'transactions',
    make: (store) => {
      const isLost = everyNth(7)
      return {
        txn: async (request, options) => {
          if (!writes(request) || !isLost()) return store.txn(request, options)
          const { revision } = await store.txn({}, options)
          return { revision: revision + 1, succeeded: true, replies: [{ op: 'put' }] }
        },
      }
    },
  },
  {
    name: 'carries a transaction out operation by operation',
    area: 'transactions',
    make: (store) => ({ txn: (request) => oneByOne(store, request) }),
  },
  {
    name: 'says that what ran out of time was not done',
    area: 'calls',
    make: (store) => ({
      txn: (request, options) =>
        store.txn(request, options).catch((error: unknown) => {
          throw withOutcome(asAlthingError(error), 'none')
        }),
    }),
  },
  {
    name: 'rejects with an error of its own',
    area: 'bounds',
    make: (store) => ({
      txn: (request, options) =>
        store.txn(request, options).catch((error: AlthingError) => {
          throw new Error(error.message)
        }),
    }),
  },
  {
    name: 'does not remember what was compacted',
    area: 'older reads',
    make: (store) => ({
      compact: async (revision, options) => {
        await store.range({ key: '', revision }, options)
        return { compactRevision: revision }
      },
    }),
  },
]

const leaseMistakes: readonly Mistake[] = [
  {
    name: 'ends leases after nine tenths of their time',
    area: 'the time of leases',
    make: (store, world) => ({
      grantLease: async (request, options) => {
        const grant = await store.grantLease(request, options)
        world.timers.after(grant.ttlMs * 0.9, () => {
          store.revokeLease(grant.lease).catch(() => undefined)
        })
        return grant
      },
    }),
  },
  {
    name: 'ends leases 200 ms late',
    area: 'the time of leases',
    make: (store) => ({
      grantLease: async ({ ttlMs }, options) => {
        const grant = await store.grantLease({ ttlMs: ttlMs < 10_000 ? ttlMs + 200 : ttlMs }, options)
        return { ...grant, ttlMs }
      },
    }),
  },
  {
    name: 'answers a renewal without making it',
    area: 'the time of leases',
    make: (store) => ({
      keepLeaseAlive: async (lease, options) => {
        const found = (await store.leases(options)).find((status) => status.lease === lease)
        return found === undefined ? store.keepLeaseAlive(lease, options) : { lease, ttlMs: found.ttlMs }
      },
    }),
  },
  {
    name: 'forgets the keys of a lease that is revoked',
    area: 'leases',
    make: (store) => ({
      revokeLease: async (lease, options) => {
        const status = (await store.leases()).find((each) => each.lease === lease)
        const freed = (status?.keys ?? []).map(
          (key) => ({ op: 'put', key, value: new Uint8Array() }) as const,
        )
        if (freed.length > 0) await store.txn({ then: freed })
        return store.revokeLease(lease, options)
      },
    }),
  },
]

const watchMistakes: readonly Mistake[] = [
  {
    name: 'drops one batch of events in five',
    area: 'watches',
    make: watching(() => {
      const isDropped = everyNth(5)
      return (batch) => (batch.kind === 'events' && isDropped() ? [] : [batch])
    }),
  },
  {
    name: 'delivers a batch twice at times',
    area: 'watches',
    make: watching(() => {
      const isDoubled = everyNth(3)
      return (batch) => (batch.kind === 'events' && isDoubled() ? [batch, batch] : [batch])
    }),
  },
  {
    name: 'delivers the events of a revision one by one',
    area: 'watches',
    make: watching(
      () => (batch) =>
        batch.kind === 'events' ? batch.events.map((event) => ({ ...batch, events: [event] })) : [batch],
    ),
  },
  {
    name: 'keeps a resync to itself',
    area: 'resuming a watch',
    make: watching(() => (batch) => (batch.kind === 'resync' ? [] : [batch])),
  },
  {
    name: 'resumes one revision late',
    area: 'resuming a watch',
    make: (store) => ({
      watch: ({ fromRevision, ...request }) =>
        store.watch(fromRevision === undefined ? request : { ...request, fromRevision: fromRevision + 1 }),
    }),
  },
  {
    name: 'ends a watch in good order when it is closed',
    area: 'calls',
    make: (store) => {
      const open = new Set<Watch>()
      return {
        watch: (request) => {
          const watch = store.watch(request)
          open.add(watch)
          return watch
        },
        close: () => {
          for (const watch of open) watch.close()
          return store.close()
        },
      }
    },
  },
]

export const mistakes: readonly Mistake[] = [
  ...readMistakes,
  ...writeMistakes,
  ...leaseMistakes,
  ...watchMistakes,
]
