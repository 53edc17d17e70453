import type { Timer, World } from '../../contracts/world.ts'

type Scope = 'global' | 'service'

/** Whether the store has been heard from of late, on both of the watches that a view is made of. */
export class Silence {
  readonly #world: World
  readonly #limitMs: number
  readonly #onChange: (isSilent: boolean) => void
  readonly #heardMs = new Map<Scope, number>()
  #timer: Timer | undefined
  #isSilent = true
  #isStopped = false

  constructor(world: World, limitMs: number, onChange: (isSilent: boolean) => void) {
    this.#world = world
    this.#limitMs = limitMs
    this.#onChange = onChange
  }

  get isSilent(): boolean {
    return this.#isSilent
  }

  /** Since the one heard longer ago; for ever while one has never been heard. */
  lengthMs(): number {
    if (this.#heardMs.size < 2) return Number.POSITIVE_INFINITY
    return this.#world.clock.monotonicMs() - Math.min(...this.#heardMs.values())
  }

  heard(scope: Scope): void {
    if (this.#isStopped) return
    this.#heardMs.set(scope, this.#world.clock.monotonicMs())
    if (this.lengthMs() > this.#limitMs) return
    this.#timer ??= this.#world.timers.after(this.#limitMs, () => this.#look())
    this.#become(false)
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  #look(): void {
    const leftMs = this.#limitMs - this.lengthMs()
    this.#timer = leftMs > 0 ? this.#world.timers.after(leftMs, () => this.#look()) : undefined
    if (leftMs <= 0) this.#become(true)
  }

  #become(isSilent: boolean): void {
    if (isSilent === this.#isSilent) return
    this.#isSilent = isSilent
    this.#onChange(isSilent)
  }
}
