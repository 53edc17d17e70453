import type { Clock } from '../contracts/world.ts'

/** `process.hrtime` has one origin for all threads; `performance.now` has one for each. */
export class NodeClock implements Clock {
  monotonicMs(): number {
    const [seconds, nanoseconds] = process.hrtime()
    return seconds * 1_000 + nanoseconds / 1_000_000
  }

  wallMs(): number {
    return Date.now()
  }
}
