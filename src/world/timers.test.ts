import { describe, expect, test } from 'vitest'
import { NodeTimers } from './timers.ts'

/** A clock that shows these times one after the other, and then goes on showing the last. */
function clockShowing(...times: number[]) {
  let shown = 0
  return {
    monotonicMs: () => times[Math.min(shown++, times.length - 1)] as number,
    wallMs: () => 0,
  }
}

const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))

describe('a timer whose native one fires a fraction too early', () => {
  test('waits for the rest of its time, and is not overtaken by one that was set after it', async () => {
    const calls: string[] = []
    // Set at 0 and at 0.1, fired at 0.95, which is too early, and at 1.2.
    const timers = new NodeTimers(clockShowing(0, 0.1, 0.95, 1.2))
    timers.after(1, () => calls.push('first'))
    timers.after(1, () => calls.push('second'))
    await quiet()
    expect(calls).toEqual(['first', 'second'])
  })

  test('may cancel the one that has fired in the meantime, or be cancelled', async () => {
    const calls: string[] = []
    const timers = new NodeTimers(clockShowing(0, 0.1, 0.95, 1.2))
    timers.after(1, () => {
      calls.push('first')
      second.cancel()
    })
    const second = timers.after(1, () => calls.push('second'))
    await quiet()
    expect(calls).toEqual(['first'])

    const others = new NodeTimers(clockShowing(0, 0.1, 0.2, 0.95, 0.96, 1.3))
    const cancelled = others.after(1, () => calls.push('cancelled'))
    others.after(0.85, () => cancelled.cancel())
    others.after(1, () => calls.push('third'))
    await quiet()
    expect(calls).toEqual(['first', 'third'])
  })
})
