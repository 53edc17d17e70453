import type { Store } from '../../src/contracts/store.ts'
import type { World } from '../../src/contracts/world.ts'
import type { Guarantee } from '../../src/coordination/guarantees.ts'
import type { App, Bed } from '../../src/coordination/test-bed.test-support.ts'
import { MortalWorld } from './mortal-world.ts'
import type { Link, Place } from './place.ts'

/** A machine under load is late by so much, whatever the engine. */
const slownessMs = 5_000

interface Program {
  readonly mortal: MortalWorld
  readonly ready: Promise<Connected>
}

interface Connected {
  readonly link: Link
  readonly store: Store
}

/** Programs of one test, each with a way to the store of its own that can be cut, and a world that can end. */
export class EngineBed implements Bed {
  lateMs = slownessMs
  readonly #world: World
  readonly #place: Place
  readonly #accept: readonly Guarantee[]
  readonly #programs = new Map<string, Program>()
  #fail: (error: unknown) => void = () => undefined

  constructor(world: World, place: Place, accept: readonly Guarantee[]) {
    this.#world = world
    this.#place = place
    this.#accept = accept
  }

  run<T>(body: (app: App, bed: Bed) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#fail = reject
      this.spawn('app', async (app) => {
        this.lateMs = slownessMs + app.store.capabilities.leaseExpiryResolutionMs
        resolve(await body(app, this))
      })
    })
  }

  spawn(name: string, main: (app: App) => Promise<void>): { crash(): void } {
    const link = this.#place.link()
    const mortal = new MortalWorld(this.#world, link.network)
    const ready = this.#connect(link)
    this.#programs.set(name, { mortal, ready })
    const run = async (): Promise<void> => {
      const { store } = await ready
      if (!mortal.isDead) await main({ world: mortal.world, store, accept: this.#accept })
    }
    void run().catch((error: unknown) => {
      if (!mortal.isDead) this.#fail(error)
    })
    return this.process(name)
  }

  process(name: string): { crash(): void } {
    const { mortal, ready } = this.#program(name)
    return {
      crash: () => {
        mortal.die()
        void ready.then(({ link }) => link.cut())
      },
    }
  }

  isolate(name: string): () => void {
    const { ready } = this.#program(name)
    void ready.then(({ link }) => link.cut())
    return () => void ready.then(({ link }) => link.mend())
  }

  /** Every program dies; what it has held is let go of. */
  async end(): Promise<void> {
    const programs = [...this.#programs.values()]
    for (const { mortal } of programs) mortal.die()
    await Promise.all(programs.map(closed))
  }

  async #connect(link: Link): Promise<Connected> {
    return { link, store: await link.open({ ...this.#world, network: link.network ?? this.#world.network }) }
  }

  #program(name: string): Program {
    const program = this.#programs.get(name)
    if (program === undefined) throw new Error(`no program ${name}`)
    return program
  }
}

async function closed({ ready }: Program): Promise<void> {
  const opened = await ready.catch(() => undefined)
  if (opened === undefined) return
  opened.link.cut()
  await opened.link.close()
  await opened.store.close().catch(() => undefined)
}
