import { writeSync } from 'node:fs'
import { isMainThread, Worker, workerData } from 'node:worker_threads'

const inputBytesMax = 64 * 1024
const hangMs = 10_000
const headWords = 3

/** Sees an input that never ends, from a thread of its own: writes it down and ends the process. */
export class Watchdog {
  readonly #head: Int32Array
  readonly #bytes: Uint8Array
  readonly #worker: Worker

  /** `describe` says of which target the inputs are, in the line that is written (JSON). */
  constructor() {
    const shared = new SharedArrayBuffer(headWords * 4 + inputBytesMax)
    this.#head = new Int32Array(shared, 0, headWords)
    this.#bytes = new Uint8Array(shared, headWords * 4)
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { shared } })
    this.#worker.unref()
  }

  begin(input: Uint8Array): void {
    const kept = input.byteLength > inputBytesMax ? input.subarray(0, inputBytesMax) : input
    this.#bytes.set(kept)
    this.#head[1] = kept.byteLength
    this.#head[2] = 1
    this.#head[0] = ((this.#head[0] as number) + 1) | 0
  }

  end(): void {
    this.#head[2] = 0
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}

function watch(shared: SharedArrayBuffer): void {
  const head = new Int32Array(shared, 0, headWords)
  const bytes = new Uint8Array(shared, headWords * 4)
  let seen = Atomics.load(head, 0)
  setInterval(() => {
    const count = Atomics.load(head, 0)
    if (count === seen && Atomics.load(head, 2) === 1) {
      const inputHex = Buffer.from(bytes.subarray(0, Atomics.load(head, 1))).toString('hex')
      writeSync(2, `${JSON.stringify({ hang: inputHex })}\n`)
      process.kill(process.pid, 'SIGKILL')
    }
    seen = count
  }, hangMs)
}

if (!isMainThread) {
  const { shared } = (workerData ?? {}) as { shared?: SharedArrayBuffer }
  if (shared !== undefined) watch(shared)
}
