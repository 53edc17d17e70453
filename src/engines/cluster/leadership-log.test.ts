import { describe, expect, test } from 'vitest'
import type { Clock } from '../../contracts/world.ts'
import { LeadershipLog } from './leadership-log.ts'

function logAt(): { readonly log: LeadershipLog; pass(ms: number): void } {
  let nowMs = 1_000
  const clock: Clock = { monotonicMs: () => nowMs, wallMs: () => nowMs }
  return { log: new LeadershipLog(clock), pass: (ms) => (nowMs += ms) }
}

describe('the log of a leadership', () => {
  test('counts each new leader, and not the same one after a moment without any', () => {
    const { log, pass } = logAt()
    expect(log.status()).toEqual({ changesTotal: 0, changesLastHour: 0 })
    log.saw(1)
    pass(500)
    log.saw(0)
    log.saw(1)
    pass(700)
    expect(log.status()).toEqual({ changesTotal: 1, changesLastHour: 1, forMs: 700 })
    log.saw(2)
    expect(log.status()).toEqual({ changesTotal: 2, changesLastHour: 2, forMs: 0 })
  })

  test('forgets changes after an hour, and counts to a bound', () => {
    const { log, pass } = logAt()
    for (let i = 1; i <= 150; i++) log.saw(i)
    expect(log.status()).toMatchObject({ changesTotal: 150, changesLastHour: 100 })
    pass(3_600_001)
    log.saw(7)
    expect(log.status()).toMatchObject({ changesTotal: 151, changesLastHour: 1 })
  })
})
