import { describe, expect, test } from 'vitest'
import type { MemberState } from '../../protocols/membership/types.ts'
import { SwimGroup, type SwimGroupOptions } from './swim-group.ts'

interface Change {
  readonly at: string
  readonly of: string
  readonly state: MemberState
  readonly atMs: number
}

function watched(options: SwimGroupOptions): { readonly group: SwimGroup; readonly changes: Change[] } {
  const changes: Change[] = []
  const group = new SwimGroup({
    ...options,
    happened: (at, effect, atMs) => {
      if (effect.type === 'changed')
        changes.push({ at, of: effect.member.id, state: effect.member.state, atMs })
      options.happened?.(at, effect, atMs)
    },
  })
  changes.length = 0
  return { group, changes }
}

function stateAt(group: SwimGroup, at: string, of: string): MemberState | undefined {
  return group.member(at).member(of)?.state
}

function allSee(group: SwimGroup, of: string, ...states: (MemberState | undefined)[]): boolean {
  return group.running.every((at) => at === of || states.includes(stateAt(group, at, of)))
}

describe('a group of 1,000 members', () => {
  test('finds a crash at every live member, suspects nobody else, and sends two messages a member and period', () => {
    const { group, changes } = watched({ seed: 1, size: 1_000 })
    group.runUntil(5_000)
    const before = group.messages
    group.runUntil(10_000)
    expect((group.messages - before) / 5 / 1_000).toBeCloseTo(2, 1)
    group.crash('m500')
    expect(group.runUntilTrue(() => allSee(group, 'm500', 'failed'), 500, 60_000)).toBeDefined()
    const others = changes.filter(({ of }) => of !== 'm500')
    expect(others).toEqual([])
    expect(changes.filter(({ state }) => state === 'suspect')).toHaveLength(999)
  }, 240_000)
})

describe('a group of members', () => {
  test('is found through one of them, and then every member knows every other', () => {
    const { group } = watched({ seed: 2, size: 60, isIntroduced: false, loss: 0.05 })
    for (const id of group.ids) if (id !== 'm1') group.step(id, { type: 'join', addresses: ['m1'] })
    const isWhole = () => group.running.every((id) => group.member(id).size === 60)
    expect(group.runUntilTrue(isWhole, 500, 120_000)).toBeDefined()
  })

  test('hears of one that leaves, which is not taken for failed', () => {
    const { group, changes } = watched({ seed: 3, size: 50, loss: 0.05 })
    group.runUntil(3_000)
    group.step('m7', { type: 'leave' })
    group.runUntil(3_100)
    group.crash('m7')
    expect(group.runUntilTrue(() => allSee(group, 'm7', 'left'), 200, 20_000)).toBeDefined()
    group.runUntil(60_000)
    expect(changes.filter(({ of, state }) => of === 'm7' && state === 'failed')).toEqual([])
  })

  test('takes one back that was failed, with a greater incarnation, and shows it as recovered for a while', () => {
    const { group } = watched({ seed: 4, size: 20 })
    group.crash('m3')
    expect(group.runUntilTrue(() => allSee(group, 'm3', 'failed'), 500, 60_000)).toBeDefined()
    group.start('m3', { incarnation: 0 })
    group.step('m3', { type: 'join', addresses: ['m9', 'm10'] })
    expect(group.runUntilTrue(() => allSee(group, 'm3', 'recovered'), 500, 30_000)).toBeDefined()
    expect(group.member('m3').self.incarnation).toBeGreaterThan(0)
    group.runUntil(group.nowMs + 90_000)
    expect(allSee(group, 'm3', 'alive')).toBe(true)
    expect(group.member('m3').size).toBe(20)
  })

  test('finds together again after a partition that lasted until each half took the other for failed', () => {
    const { group } = watched({ seed: 5, size: 40 })
    const half = (id: string): number => (Number(id.slice(1)) <= 20 ? 0 : 1)
    group.partition(half)
    const isParted = () => group.ids.every((id) => group.member(id).size === 20)
    expect(group.runUntilTrue(isParted, 500, 120_000)).toBeDefined()
    group.partition(undefined)
    const isWhole = () => group.ids.every((id) => group.member(id).size === 40)
    expect(group.runUntilTrue(isWhole, 500, 120_000)).toBeDefined()
  })

  test('keeps one that cannot be reached from one other alone, for the others reach it', () => {
    const { group, changes } = watched({
      seed: 6,
      size: 12,
      // m1 and m2 do not hear each other.
      cut: (from, to) => (from === 'm1' && to === 'm2') || (from === 'm2' && to === 'm1'),
    })
    group.runUntil(120_000)
    expect(changes.filter(({ state }) => state === 'failed' || state === 'suspect')).toEqual([])
  })

  test('calls one that stood still for seconds degraded, not failed', () => {
    const { group, changes } = watched({ seed: 7, size: 20 })
    group.runUntil(5_000)
    group.block('m4', 3_000)
    group.runUntil(5_000 + 8_000)
    expect(allSee(group, 'm4', 'degraded')).toBe(true)
    expect(group.member('m4').self.degraded).toBe('event-loop')
    group.runUntil(60_000)
    expect(allSee(group, 'm4', 'alive')).toBe(true)
    expect(changes.filter(({ state }) => state === 'failed')).toEqual([])
  })

  test('calls one whose answers are late degraded, by what several others found', () => {
    const { group } = watched({ seed: 8, size: 20, delayMs: (_, to) => (to === 'm5' ? 300 : 0) })
    expect(group.runUntilTrue(() => allSee(group, 'm5', 'degraded'), 500, 30_000)).toBeDefined()
    expect(group.member('m5').self.degraded).toBe('response-time')
    const trips = group.ids.map((id) => group.member(id).member('m5')?.roundTripMs ?? 0)
    expect(Math.max(...trips)).toBeGreaterThan(300)
    expect(allSee(group, 'm6', 'alive')).toBe(true)
  })

  test('hears what a program says of its own health, and its tags', () => {
    const { group } = watched({ seed: 9, size: 20 })
    group.step('m5', { type: 'setHealth', degraded: 'queue is full' })
    group.step('m5', { type: 'setTags', tags: { role: 'worker' } })
    const knows = (at: string): boolean => {
      const seen = group.member(at).member('m5')
      return at === 'm5' || (seen?.degraded === 'queue is full' && seen.tags['role'] === 'worker')
    }
    expect(group.runUntilTrue(() => group.ids.every(knows), 200, 20_000)).toBeDefined()
    group.step('m5', { type: 'setHealth', degraded: '' })
    expect(group.runUntilTrue(() => allSee(group, 'm5', 'alive'), 200, 20_000)).toBeDefined()
  })
})
