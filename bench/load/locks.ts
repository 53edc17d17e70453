import { EtcdLocks } from '../locks/etcd-locks.ts'
import type { LockDriver, LockTarget } from '../locks/lock-driver.ts'
import { OurLocks } from '../locks/our-locks.ts'
import { RedlockLocks } from '../locks/redlock-locks.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import type { LocksReport, LocksRequest } from './load.ts'

/** Acquires and releases in closed loops: each client a lock of its own, or all of them the same one. */
export async function runLocks(request: LocksRequest): Promise<LocksReport> {
  const driver = await open(request.target, request.clients)
  try {
    await measure(driver, request, request.warmupMs)
    return await measure(driver, request, request.measuredMs)
  } finally {
    await driver.close()
  }
}

function open(target: LockTarget, clients: number): Promise<LockDriver> {
  switch (target.kind) {
    case 'althing':
      return OurLocks.open(target.url)
    case 'etcd':
      return EtcdLocks.open(target.address, clients)
    case 'redlock':
      return RedlockLocks.open(target.address)
  }
}

async function measure(
  driver: LockDriver,
  { clients, isContended }: LocksRequest,
  lengthMs: number,
): Promise<LocksReport> {
  const waits = new LatencyHistogram()
  const turns = new Turns(clients)
  const startMs = performance.now()
  const endMs = startMs + lengthMs
  const loop = async (client: number): Promise<void> => {
    const name = isContended ? 'bench/one' : `bench/${client}`
    while (performance.now() < endMs) {
      const askedMs = performance.now()
      turns.asks(client)
      const release = await driver.acquire(client, name)
      waits.record(performance.now() - askedMs)
      turns.gets(client)
      await release()
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)))
  return {
    operationsPerSecond: turns.total / ((performance.now() - startMs) / 1_000),
    p50Ms: waits.percentileMs(50),
    p99Ms: waits.percentileMs(99),
    maxMs: waits.maxMs,
    overtakenShare: turns.total === 0 ? 0 : turns.overtaken / turns.total,
  }
}

/**
 * Who got the lock out of turn. Where the lock goes to whoever came first, another can get it once at most while one waits: to get it again it would have
 * to ask anew, and so later.
 */
class Turns {
  total = 0
  /** Turns before which another had had two or more since the client asked. */
  overtaken = 0
  readonly #taken: number[]
  readonly #takenWhenAsked: (readonly number[])[]

  constructor(clients: number) {
    this.#taken = Array.from({ length: clients }, () => 0)
    this.#takenWhenAsked = Array.from({ length: clients }, () => [])
  }

  asks(client: number): void {
    this.#takenWhenAsked[client] = [...this.#taken]
  }

  gets(client: number): void {
    const before = this.#takenWhenAsked[client] ?? []
    const isOvertaken = this.#taken.some(
      (taken, other) => other !== client && taken - (before[other] ?? 0) > 1,
    )
    this.total += 1
    if (isOvertaken) this.overtaken += 1
    this.#taken[client] = (this.#taken[client] ?? 0) + 1
  }
}
