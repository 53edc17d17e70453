import type { Store } from '../../src/contracts/store.ts'
import type { Logger, World } from '../../src/contracts/world.ts'
import type { App, Bed, BedRunner } from '../../src/coordination/test-bed.test-support.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { EngineBed } from './engine-bed.ts'
import type { Engine, Link, Place } from './place.ts'

interface OwnPlace {
  readonly place: Place
  readonly link: Link
  /** For clearing what a test has left behind. */
  readonly store: Store
}

/** Programs end with their stores open under them here, and would complain. */
const silent: Logger = { log: () => undefined }

/** Runs the tests of the recipes beside a real engine, many at a time, each on a store that no other has. */
export class EngineRunner implements BedRunner {
  readonly isSimulated = false
  readonly settleMs = 700
  readonly #world: World
  readonly #starting: Promise<Engine>
  readonly #free: OwnPlace[] = []
  readonly #all: OwnPlace[] = []
  #count = 0

  constructor(start: (world: World) => Promise<Engine>, dataFolder: string) {
    this.#world = createNodeWorld({ dataFolder, logger: silent })
    this.#starting = start(this.#world)
    this.#starting.catch(() => undefined)
  }

  async run<T>(body: (app: App, bed: Bed) => Promise<T>): Promise<T> {
    const { accept } = await this.#starting
    const own = this.#free.pop() ?? (await this.#newPlace())
    const bed = new EngineBed(this.#world, own.place, accept)
    try {
      return await bed.run(body)
    } finally {
      await bed.end()
      await clear(own.store)
      this.#free.push(own)
    }
  }

  async close(): Promise<void> {
    const engine = await this.#starting
    await Promise.all(this.#all.map(({ store }) => store.close()))
    await Promise.all(this.#all.map(({ link }) => link.close()))
    await engine.close()
  }

  async #newPlace(): Promise<OwnPlace> {
    const engine = await this.#starting
    const place = await engine.place(this.#count++)
    const link = place.link()
    const own = {
      place,
      link,
      store: await link.open({ ...this.#world, network: link.network ?? this.#world.network }),
    }
    this.#all.push(own)
    return own
  }
}

async function clear(store: Store): Promise<void> {
  for (const { lease } of await store.leases()) await store.revokeLease(lease).catch(() => undefined)
  await store.txn({ then: [{ op: 'delete', key: '\u0001', end: null }] })
}
