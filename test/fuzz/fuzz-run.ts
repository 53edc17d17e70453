import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { SeededRandom } from '../../src/testing/world/seeded-random.ts'
import { asBuffer, type FuzzTarget, PropertyViolation } from './fuzz-target.ts'
import { minimize } from './minimize.ts'
import { Mutator } from './mutator.ts'
import type { Watchdog } from './watchdog.ts'

/** What became of the inputs of one target. */
export interface TargetReport {
  readonly target: string
  readonly inputs: number
  readonly accepted: number
  /** Different outcomes that were seen: how far the inputs came. */
  readonly outcomes: number
  readonly seconds: number
  readonly slowestMs: number
  /** By how much the heap was larger at the end than after the first tenth, both after a collection. */
  readonly heapGrowthBytes: number
  readonly rssBytesMax: number
  readonly failure?: FuzzFailure
}

export interface FuzzFailure {
  readonly target: string
  readonly property: string
  readonly message: string
  readonly stack: string
  readonly inputHex: string
}

export interface FuzzRunOptions {
  readonly seed: string
  readonly inputs: number
  readonly watchdog?: Watchdog
}

/** An input that takes longer, each time that it is tried, is a hang for whoever waits for it. */
const inputMsMax = 500
const triesWhenSlow = 3
const heapGrowthBytesMax = 24 * 1024 * 1024
const rssBytesMax = 1536 * 1024 * 1024
const corpusMax = 600
const memoryEvery = 20_000

/** Feeds one target with so many inputs, the seeds themselves first; stops at the first failure, and makes its input small. */
export class FuzzRun {
  readonly #target: FuzzTarget
  readonly #options: FuzzRunOptions
  readonly #random: SeededRandom
  readonly #mutator: Mutator
  readonly #corpus: Uint8Array[]
  readonly #outcomes = new Set<string>()
  #accepted = 0
  #slowestMs = 0
  #rssBytesMax = 0

  constructor(target: FuzzTarget, options: FuzzRunOptions) {
    this.#target = target
    this.#options = options
    this.#random = new SeededRandom(`${options.seed}/${target.name}`)
    this.#mutator = new Mutator(this.#random.fork('mutator'))
    this.#corpus = [...target.seeds]
  }

  async run(): Promise<TargetReport> {
    const startedMs = performance.now()
    const { inputs } = this.#options
    let heapBefore = heapBytes()
    let failure: FuzzFailure | undefined
    let count = 0
    for (; count < inputs && failure === undefined; count++) {
      if (count === Math.floor(inputs / 10)) heapBefore = heapBytes()
      if (count % memoryEvery === 0) this.#sampleMemory()
      const input = this.#nextInput(count)
      const fed = this.#feed(input)
      failure = typeof fed === 'string' || fed === undefined ? undefined : await fed
    }
    const heapGrowthBytes = Math.max(0, heapBytes() - heapBefore)
    failure ??= this.#memoryFailure(heapGrowthBytes)
    return {
      target: this.#target.name,
      inputs: count,
      accepted: this.#accepted,
      outcomes: this.#outcomes.size,
      seconds: (performance.now() - startedMs) / 1_000,
      slowestMs: this.#slowestMs,
      heapGrowthBytes,
      rssBytesMax: this.#rssBytesMax,
      ...(failure === undefined ? {} : { failure }),
    }
  }

  #nextInput(count: number): Buffer {
    const { seeds, inputBytesMax } = this.#target
    if (count < seeds.length) return asBuffer(seeds[count] as Uint8Array)
    const corpus = this.#corpus
    // What is valid leads deepest: it is the parent as often as all the rest.
    const parentMax = this.#random.chance(0.5) ? seeds.length : corpus.length
    const parent = corpus[this.#random.integer(0, parentMax - 1)] as Uint8Array
    const other = corpus[this.#random.integer(0, corpus.length - 1)] as Uint8Array
    return this.#mutator.mutate(parent, other, inputBytesMax)
  }

  /** `undefined` when all went well at once; a promise where the target has to wait, or where something is to be looked into. */
  #feed(input: Buffer): Promise<FuzzFailure | undefined> | undefined {
    this.#options.watchdog?.begin(input)
    const startedMs = performance.now()
    try {
      const outcome = this.#target.run(input)
      if (typeof outcome !== 'string') return this.#settle(input, startedMs, outcome)
      return this.#ended(input, startedMs, outcome)
    } catch (error) {
      this.#options.watchdog?.end()
      return this.#failureOf(input, error)
    }
  }

  async #settle(
    input: Buffer,
    startedMs: number,
    outcome: Promise<string>,
  ): Promise<FuzzFailure | undefined> {
    try {
      return await this.#ended(input, startedMs, await outcome)
    } catch (error) {
      this.#options.watchdog?.end()
      return this.#failureOf(input, error)
    }
  }

  #ended(input: Buffer, startedMs: number, outcome: string): Promise<FuzzFailure | undefined> | undefined {
    this.#options.watchdog?.end()
    const elapsedMs = performance.now() - startedMs
    if (outcome.startsWith('accepted')) this.#accepted++
    if (!this.#outcomes.has(outcome)) this.#keep(input, outcome)
    if (elapsedMs > this.#slowestMs) this.#slowestMs = elapsedMs
    return elapsedMs > inputMsMax ? this.#lookIntoSlowness(input, elapsedMs) : undefined
  }

  #keep(input: Buffer, outcome: string): void {
    this.#outcomes.add(outcome)
    if (this.#corpus.length < corpusMax) this.#corpus.push(Buffer.from(input))
  }

  /** A collection of garbage may hold up any input once; the fault of the input is what happens again. */
  async #lookIntoSlowness(input: Buffer, elapsedMs: number): Promise<FuzzFailure | undefined> {
    let leastMs = elapsedMs
    for (let i = 0; i < triesWhenSlow && leastMs > inputMsMax; i++) {
      const startedMs = performance.now()
      await this.#target.run(input)
      leastMs = Math.min(leastMs, performance.now() - startedMs)
    }
    if (leastMs <= inputMsMax) return undefined
    return this.#failure(
      new PropertyViolation('time', `an input takes ${Math.round(leastMs)} ms each time`),
      input,
    )
  }

  async #failureOf(input: Buffer, error: unknown): Promise<FuzzFailure> {
    const kind = kindOf(error)
    const smallest = await minimize(input, async (candidate) => {
      try {
        await this.#target.run(candidate)
        return false
      } catch (other) {
        return kindOf(other) === kind
      }
    })
    let shown = error
    try {
      await this.#target.run(smallest)
    } catch (other) {
      shown = other
    }
    return this.#failure(shown, smallest)
  }

  #failure(error: unknown, input: Buffer): FuzzFailure {
    const { message, stack = '' } = error instanceof Error ? error : new Error(String(error))
    return {
      target: this.#target.name,
      property: kindOf(error),
      message,
      stack,
      inputHex: input.toString('hex'),
    }
  }

  #sampleMemory(): void {
    this.#rssBytesMax = Math.max(this.#rssBytesMax, process.memoryUsage.rss())
  }

  #memoryFailure(growthBytes: number): FuzzFailure | undefined {
    this.#sampleMemory()
    const problem =
      growthBytes > heapGrowthBytesMax
        ? `the heap has grown by ${growthBytes} bytes`
        : this.#rssBytesMax > rssBytesMax
          ? `the process took ${this.#rssBytesMax} bytes`
          : undefined
    if (problem === undefined) return undefined
    return this.#failure(new PropertyViolation('memory', problem), Buffer.alloc(0))
  }
}

function kindOf(error: unknown): string {
  if (error instanceof PropertyViolation) return error.property
  if (!(error instanceof Error)) return typeof error
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' ? `${error.name} ${code}` : error.name
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** After a collection: garbage says nothing of what is kept. */
function heapBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}
