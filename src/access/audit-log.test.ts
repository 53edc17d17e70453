import { describe, expect, test } from 'vitest'
import type { World } from '../contracts/world.ts'
import { Simulation } from '../testing/world/simulation.ts'
import { AuditLog, withoutSecrets } from './audit-log.ts'

async function inWorld(body: (world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  let failure: unknown
  simulation.process('node', async (world) => {
    await body(world).catch((error: unknown) => {
      failure = error
    })
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
  if (failure !== undefined) throw failure
}

const entry = (what: string) => ({ who: 'ann', from: '10.0.0.1:5', what, outcome: 'begun' }) as const

describe('the audit log', () => {
  test('has a line of each action, in order, and reads the newest back', () =>
    inWorld(async (world) => {
      const log = new AuditLog({ world, path: 'audit.log', node: 3 })
      for (const what of ['a', 'b', 'c']) await log.record(entry(what))
      expect(await log.tail(2)).toEqual([
        { ...entry('b'), node: 3, atMs: expect.any(Number) as number },
        { ...entry('c'), node: 3, atMs: expect.any(Number) as number },
      ])
      await log.close()
    }))

  test('goes on after a line that a crash has cut', () =>
    inWorld(async (world) => {
      const file = await world.disk.open('audit.log', { create: true })
      await file.writeDurably(0, [Buffer.from('{"what":"old"}\n{"what":"cu')])
      await file.close()
      const log = new AuditLog({ world, path: 'audit.log', node: 1 })
      await log.record(entry('new'))
      expect((await log.tail(10)).map(({ what }) => what)).toEqual(['old', 'new'])
      await log.close()
    }))

  test('puts full files aside, keeps so many, and reads across the last two', () =>
    inWorld(async (world) => {
      const log = new AuditLog({ world, path: 'audit.log', node: 1, fileBytesMax: 350, filesMax: 2 })
      for (let i = 0; i < 12; i++) await log.record(entry(`action-${i}`))
      const files = (await world.disk.list('.')).filter((name) => name.startsWith('audit.log'))
      expect(files).toEqual(['audit.log', 'audit.log.1', 'audit.log.2'])
      const newest = (await log.tail(4)).map(({ what }) => what)
      expect(newest).toEqual(['action-8', 'action-9', 'action-10', 'action-11'])
      await log.close()
    }))

  test('counts refusals past ten a second instead of listing them', () =>
    inWorld(async (world) => {
      const log = new AuditLog({ world, path: 'audit.log', node: 1 })
      for (let i = 0; i < 50; i++) log.denied({ who: '', from: 'x:1', what: 'sign in' })
      await new Promise<void>((resolve) => world.timers.after(1_001, resolve))
      log.denied({ who: '', from: 'x:1', what: 'sign in' })
      const lines = await log.tail(100)
      expect(lines).toHaveLength(11)
      expect(lines.at(-1)?.details).toEqual({ unlistedBefore: 40 })
      await log.close()
    }))

  test('refuses the action when its line cannot be written, and takes the next when it can', () =>
    inWorld(async (world) => {
      let isFull = true
      const disk: World['disk'] = {
        ...boundMethods(world.disk),
        open: async (path, options) => {
          if (isFull) throw new Error('no space left')
          return world.disk.open(path, options)
        },
      }
      const log = new AuditLog({ world: { ...world, disk }, path: 'audit.log', node: 1 })
      await expect(log.record(entry('a'))).rejects.toMatchObject({ code: 'unavailable', outcome: 'none' })
      expect(log.failure?.message).toContain('no space left')
      isFull = false
      await log.record(entry('b'))
      expect(log.failure).toBeUndefined()
      expect((await log.tail(5)).map(({ what }) => what)).toEqual(['b'])
      await log.close()
    }))

  test('shows which keys an action concerned, and never a secret', () => {
    const argument = {
      name: 'app',
      grant: { key: 'orders/', end: 'orders0', rights: ['read'] },
      password: 'hunter22',
      nested: { clientSecret: 'x', token: 'alt_1_2', nodeKey: 'y' },
      bytes: new Uint8Array(3),
      long: 'z'.repeat(1_000),
    }
    const shown = JSON.stringify(withoutSecrets(argument))
    expect(shown).toContain('"key":"orders/"')
    expect(shown).toContain('3 bytes')
    expect(shown.length).toBeLessThan(600)
    for (const secret of ['hunter22', '"x"', 'alt_1_2', '"y"']) expect(shown).not.toContain(secret)
  })
})

function boundMethods(disk: World['disk']): World['disk'] {
  return {
    open: (path, options) => disk.open(path, options),
    read: (path) => disk.read(path),
    list: (path) => disk.list(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    freeBytes: (path) => disk.freeBytes(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    lock: (path) => disk.lock(path),
  }
}
