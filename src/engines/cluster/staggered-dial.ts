import type { Timer, Timers } from '../../contracts/world.ts'

/** An attempt that has not succeeded after so long is joined by the next; one that fails is followed by the next at once. */
export const staggerMs = 100
/** Attempts under way at once; the next begins when one of them ends. */
const atOnceMax = 8

/**
 * Tries `candidates` in their order, each a little after the one before, until one succeeds: a dead address costs a tenth of a second and not its whole
 * time limit (the "happy eyeballs" of RFC 8305, section 5). Attempts that succeed later are left to whoever made them. Rejects with all failures when
 * every one has failed.
 */
export function dialStaggered<T>(
  timers: Timers,
  candidates: readonly string[],
  dial: (candidate: string) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const failures: unknown[] = []
    let next = 0
    let underWay = 0
    let isDone = false
    let timer: Timer | undefined

    const begin = (): void => {
      timer?.cancel()
      timer = undefined
      const candidate = candidates[next]
      if (isDone || candidate === undefined || underWay >= atOnceMax) return
      next++
      underWay++
      dial(candidate).then(succeed, fail)
      if (next < candidates.length) timer = timers.after(staggerMs, begin)
    }
    const succeed = (value: T): void => {
      isDone = true
      timer?.cancel()
      resolve(value)
    }
    const fail = (error: unknown): void => {
      underWay--
      failures.push(error)
      if (isDone) return
      if (failures.length === candidates.length) reject(new AggregateError(failures, 'every address failed'))
      else begin()
    }
    if (candidates.length === 0) reject(new AggregateError([], 'there is no address'))
    else begin()
  })
}
