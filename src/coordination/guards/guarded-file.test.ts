import { describe, expect, test } from 'vitest'
import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import type { Disk, World } from '../../contracts/world.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { GuardedFile } from './guarded-file.ts'

/** Runs `body` as a process of a simulated machine. */
async function onMachine(body: (world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('writer', async (world) => {
    await body(world)
    isDone = true
  })
  await simulation.runUntil(() => isDone)
}

async function textIn(file: GuardedFile): Promise<string | undefined> {
  const found = await file.read()
  return found === undefined ? undefined : textFromBytes(found.content)
}

const text = bytesFromText

describe('a guarded file', () => {
  test('keeps the content of the newest holder, and refuses an earlier one', async () => {
    await onMachine(async (world) => {
      const file = new GuardedFile(world, 'reports/daily')
      expect(await file.read()).toBeUndefined()
      await file.write({ token: 5 }, text('five'))
      await file.write({ token: 5 }, text('five again'))
      expect(await textIn(file)).toBe('five again')
      await file.write({ token: 8 }, text('eight'))
      await expect(file.write({ token: 5 }, text('late'))).rejects.toMatchObject({
        code: 'stale-token',
        outcome: 'none',
      })
      expect(await file.read()).toEqual({ token: 8, content: text('eight') })
      expect(await world.disk.list('reports/daily')).toHaveLength(1)
    })
  })

  test('a stale writer that is stopped at any step while a later one writes changes nothing that is read', async () => {
    for (let step = 1; step <= 12; step++) {
      await onMachine(async (world) => {
        const later = new GuardedFile(world, 'file')
        let steps = 0
        const meet = async (): Promise<void> => {
          steps += 1
          if (steps === step) await later.write({ token: 9 }, text('nine'))
        }
        const slow = new GuardedFile({ ...world, disk: stoppedBefore(world.disk, meet) }, 'file')
        const outcome = await slow.write({ token: 4 }, text('four')).then(
          () => 'written',
          (error: unknown) => (error as { code: string }).code,
        )
        expect([step, outcome]).toEqual([step, steps < step ? 'written' : 'stale-token'])
        expect([step, await textIn(later)]).toEqual([step, steps < step ? 'four' : 'nine'])
        await later.write({ token: 10 }, text('ten'))
        expect(await world.disk.list('file')).toHaveLength(1)
      })
    }
  })

  test('a crash at any moment leaves the former content or the new one, whole', async () => {
    for (let crashMs = 0; crashMs < 12; crashMs++) {
      const simulation = new Simulation({ seed: crashMs + 1 })
      let isWritten = false
      let hasFirst = false
      let isFirstRun = true
      let found: string | undefined
      const process = simulation.process('writer', async (world) => {
        const file = new GuardedFile(world, 'file')
        if (!isFirstRun) {
          found = await textIn(file)
          await file.write({ token: 9 }, text('nine'))
          expect(await world.disk.list('file')).toHaveLength(1)
          return
        }
        await file.write({ token: 4 }, text('a'.repeat(5_000)))
        hasFirst = true
        await file.write({ token: 7 }, text('b'.repeat(5_000)))
        isWritten = true
      })
      await simulation.runUntil(() => hasFirst)
      let isTime = false
      simulation.after(crashMs / 4, () => {
        isTime = true
      })
      await simulation.runUntil(() => isTime)
      isFirstRun = false
      process.restart('power')
      await simulation.runUntil(() => found !== undefined)
      const allowed = isWritten ? ['b'] : ['a', 'b']
      expect(allowed.map((letter) => letter.repeat(5_000))).toContain(found)
    }
  })

  test('refuses rights that several hold, and folders outside of its own', async () => {
    await onMachine(async (world) => {
      const file = new GuardedFile(world, 'file')
      await expect(file.write({ token: 5, kind: 'shared' }, text('x'))).rejects.toMatchObject({
        code: 'invalid-argument',
      })
      await expect(file.write({ token: -5 }, text('x'))).rejects.toMatchObject({ code: 'invalid-argument' })
      expect(() => new GuardedFile(world, '../other')).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      )
    })
  })
})

/** Each call of the disk waits for `before`. */
function stoppedBefore(disk: Disk, before: () => Promise<void>): Disk {
  return new Proxy(disk, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]): Promise<unknown> => {
        await before()
        return await Reflect.apply(value, target, args)
      }
    },
  })
}
