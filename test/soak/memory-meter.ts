import type { NodeCluster } from '../processes/support/node-cluster.ts'
import type { MemorySample } from './memory.ts'

const scrapeTimeoutMs = 1_000

/** Looks at the memory of every node that runs, again and again. */
export class MemoryMeter {
  readonly samples: MemorySample[] = []
  readonly #cluster: NodeCluster
  readonly #elapsedMs: () => number
  readonly #timer: NodeJS.Timeout

  constructor(cluster: NodeCluster, everyMs: number, elapsedMs: () => number) {
    this.#cluster = cluster
    this.#elapsedMs = elapsedMs
    this.#timer = setInterval(() => void this.#look(), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    const running = this.#cluster.members.filter(({ isUp }) => isUp)
    await Promise.all(
      running.map(async ({ id, http, process }) => {
        const heapBytes = await heapOf(http)
        try {
          const residentBytes = process.residentBytes()
          this.samples.push({
            node: id,
            atMs: this.#elapsedMs(),
            residentBytes,
            ...(heapBytes === undefined ? {} : { heapBytes }),
          })
        } catch {
          // It ended between two looks.
        }
      }),
    )
  }
}

async function heapOf(http: string): Promise<number | undefined> {
  try {
    const reply = await fetch(`http://${http}/metrics`, { signal: AbortSignal.timeout(scrapeTimeoutMs) })
    const found = /^althing_process_heap_used_bytes\{[^}]*\} (\S+)$/m.exec(await reply.text())
    return found === null ? undefined : Number(found[1])
  } catch {
    return undefined
  }
}
