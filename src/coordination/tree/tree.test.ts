import { describe, expect, test } from 'vitest'
import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import {
  type App,
  eventually,
  keysUnder,
  settle,
  sleep,
  TestBed,
  testInSimulator,
  withBed,
} from '../test-bed.test-support.ts'
import { Tree } from './tree.ts'
import type { TreeChange } from './tree-types.ts'

const some = bytesFromText('some')
const other = bytesFromText('other')

async function names(tree: Tree, path: string): Promise<readonly string[]> {
  return (await tree.children(path)).names
}

function reason(code: string, why?: string) {
  return { code, outcome: 'none', ...(why === undefined ? {} : { details: { reason: why } }) }
}

describe('nodes', () => {
  test('are created, read, set by version and deleted, with the stat of ZooKeeper', () =>
    withBed(async (app) => {
      const tree = new Tree(app)
      expect(await tree.exists('/app')).toBeUndefined()
      expect(await tree.create('/app', some)).toBe('/app')
      await tree.create('/app/ä b', other)
      const { data, stat, revision } = await tree.getData('/app')
      expect(textFromBytes(data)).toBe('some')
      expect(stat).toMatchObject({
        kind: 'persistent',
        version: 0,
        cversion: 1,
        ephemeralOwner: 0,
        dataLength: 4,
        numChildren: 1,
      })
      expect(stat.pzxid).toBeGreaterThan(stat.czxid)
      expect(revision).toBeGreaterThanOrEqual(stat.pzxid)
      await tree.setData('/app', other, { version: 0 })
      await tree.setData('/app', some, { version: -1 })
      await expect(tree.setData('/app', some, { version: 0 })).rejects.toMatchObject(
        reason('conflict', 'bad-version'),
      )
      const later = await tree.exists('/app')
      expect(later).toMatchObject({ version: 2, czxid: stat.czxid })
      expect(later?.mzxid).toBeGreaterThan(stat.mzxid)
      expect(await names(tree, '/')).toEqual(['app'])
      expect(await names(tree, '/app')).toEqual(['ä b'])
      await expect(tree.delete('/app')).rejects.toMatchObject(reason('conflict', 'not-empty'))
      await expect(tree.delete('/app/ä b', { version: 3 })).rejects.toMatchObject(
        reason('conflict', 'bad-version'),
      )
      await tree.delete('/app/ä b', { version: 0 })
      await tree.delete('/app')
      await tree.close()
      // The root goes on counting its children.
      expect(await keysUnder(app.store, '/althing/tree/')).toEqual(['/althing/tree/children/00'])
    }))

  test('are refused as in ZooKeeper, by reason', () =>
    withBed(async (app) => {
      const tree = new Tree(app)
      await tree.create('/app')
      await expect(tree.create('/app')).rejects.toMatchObject(reason('conflict', 'node-exists'))
      await expect(tree.create('/none/below')).rejects.toMatchObject(reason('not-found'))
      for (const call of [
        () => tree.getData('/none'),
        () => tree.setData('/none', some),
        () => tree.delete('/none'),
        () => tree.children('/none'),
      ])
        await expect(call()).rejects.toMatchObject({ code: 'not-found' })
      const session = await tree.session()
      await tree.create('/app/e', some, { kind: 'ephemeral', session })
      await expect(tree.create('/app/e/below')).rejects.toMatchObject(
        reason('conflict', 'no-children-allowed'),
      )
      const long = `/${Array.from({ length: 33 }, () => 'x').join('/')}`
      for (const wrong of ['', 'app', '/app/', '//', '/a/../b', '/.', long, '/a\u0000'])
        await expect(tree.create(wrong), wrong).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(tree.delete('/')).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(tree.create('/app/x', some, { kind: 'ephemeral' })).rejects.toMatchObject({
        code: 'invalid-argument',
      })
      await expect(tree.create('/app/x', some, { ttl: '1s' })).rejects.toMatchObject({
        code: 'invalid-argument',
      })
      await tree.close()
      await expect(tree.getData('/app')).rejects.toMatchObject({ code: 'closed' })
    }))

  test('of one multi are changed together or not at all', () =>
    withBed(async (app) => {
      const tree = new Tree(app)
      const made = await tree.multi([
        { op: 'create', path: '/app' },
        { op: 'create', path: '/app/n-', sequential: true },
        { op: 'create', path: '/app/n-', sequential: true, data: some },
      ])
      expect(made.map(({ path }) => path)).toEqual(['/app', '/app/n-0000000000', '/app/n-0000000001'])
      await expect(
        tree.multi([
          { op: 'check', path: '/app', version: 0 },
          { op: 'delete', path: '/app/n-0000000000' },
          { op: 'set', path: '/app/n-0000000001', data: other, version: 7 },
        ]),
      ).rejects.toMatchObject(reason('conflict', 'bad-version'))
      expect(await names(tree, '/app')).toHaveLength(2)
      await tree.multi([
        { op: 'delete', path: '/app/n-0000000000' },
        { op: 'delete', path: '/app/n-0000000001' },
        { op: 'delete', path: '/app' },
      ])
      expect(await names(tree, '/')).toEqual([])
      await expect(tree.multi([])).rejects.toMatchObject({ code: 'invalid-argument' })
      const twice = [1, 2].map(() => ({ op: 'create' as const, path: '/twice' }))
      await expect(tree.multi(twice)).rejects.toMatchObject({ code: 'conflict' })
    }))
})

describe('sequential nodes', () => {
  test('never have a number twice, whoever creates them, and whatever was deleted', () =>
    withBed(async (app, bed) => {
      const tree = new Tree(app)
      await tree.create('/q')
      const made: string[] = []
      for (const name of ['a', 'b', 'c'])
        bed.spawn(name, async (own) => {
          const mine = new Tree(own)
          for (let i = 0; i < 5; i++) {
            const path = await mine.create('/q/n-', some, { sequential: true })
            made.push(path)
            if (i % 2 === 0) await mine.delete(path)
          }
        })
      await eventually(app.world, () => expect(made).toHaveLength(15))
      expect(new Set(made).size).toBe(15)
      expect(await tree.create('/q/m-', some, { sequential: true })).toBe('/q/m-0000000015')
      await tree.create('/q/n-0000000017')
      await expect(tree.create('/q/n-', some, { sequential: true })).rejects.toMatchObject(
        reason('conflict', 'node-exists'),
      )
    }))
})

describe('nodes that end by themselves', () => {
  test('ephemeral: with their session, which is told before', () =>
    withBed(async (app, bed) => {
      const tree = new Tree(app)
      await tree.create('/live')
      const seen: { lostMs?: number } = {}
      bed.spawn('cut', async (own) => {
        const session = await new Tree(own).session({ ttl: '2s' })
        await new Tree(own).create('/live/a', some, { kind: 'ephemeral', session })
        session.lost.addEventListener('abort', () => {
          seen.lostMs = app.world.clock.monotonicMs()
        })
      })
      const session = await tree.session()
      const path = await tree.create('/live/b-', some, { kind: 'ephemeral', sequential: true, session })
      expect((await tree.exists(path))?.ephemeralOwner).toBe(session.id)
      await eventually(app.world, async () => expect(await names(tree, '/live')).toHaveLength(2))
      const heal = bed.isolate('cut')
      const { revision } = await tree.getData('/live')
      await tree.nextChange('/live', 'child', { after: revision, waitTimeout: '30s' })
      expect(seen.lostMs).toBeLessThanOrEqual(app.world.clock.monotonicMs())
      heal()
      await session.close()
      expect(await names(tree, '/live')).toEqual([])
      await expect(tree.create('/live/c', some, { kind: 'ephemeral', session })).rejects.toMatchObject({
        code: 'closed',
      })
      await tree.close()
    }))

  test('container: when its last child has gone, by hand or with its session', () =>
    withBed(async (app) => {
      const tree = new Tree(app)
      await tree.create('/c', some, { kind: 'container' })
      await tree.create('/c/d', some, { kind: 'container' })
      expect(await tree.sweep()).toBe(0)
      await tree.create('/c/d/e')
      await tree.delete('/c/d/e')
      expect(await tree.exists('/c')).toBeUndefined()
      await tree.create('/c', some, { kind: 'container' })
      const session = await tree.session()
      await tree.create('/c/x', some, { kind: 'ephemeral', session })
      await session.close()
      expect(await tree.sweep()).toBe(1)
      expect(await names(tree, '/')).toEqual([])
      await tree.close()
    }))

  test('ttl: when its data was not set for so long', () =>
    withBed(async (app) => {
      const tree = new Tree(app)
      await tree.create('/t', some, { kind: 'ttl', ttl: '2s' })
      await sleep(app.world, 1_200)
      await tree.setData('/t', other)
      await sleep(app.world, 1_200)
      expect(await tree.exists('/t')).toMatchObject({ kind: 'ttl', version: 1, ephemeralOwner: 0 })
      await eventually(app.world, async () => expect(await tree.exists('/t')).toBeUndefined())
      await tree.close()
    }))
})

describe('watches', () => {
  test('one-shot: what came between the read and the watch is not missed', () =>
    withBed(async (app) => {
      const tree = new Tree(app)
      await tree.create('/w', some)
      const { revision: after } = await tree.getData('/w')
      await tree.create('/w/below')
      await tree.setData('/w', other)
      expect(await tree.nextChange('/w', 'data', { after })).toMatchObject({
        type: 'data-changed',
        path: '/w',
      })
      expect(await tree.nextChange('/w', 'child', { after })).toMatchObject({
        type: 'children-changed',
        path: '/w',
      })
      expect(await tree.nextChange('/w/below', 'exist', { after })).toMatchObject({
        type: 'created',
        path: '/w/below',
      })
      const { revision } = await tree.getData('/w/below')
      const deleted = tree.nextChange('/w/below', 'child', { after: revision })
      await settle(app.world)
      await tree.delete('/w/below')
      expect(await deleted).toMatchObject({ type: 'deleted', path: '/w/below' })
      await expect(
        tree.nextChange('/w', 'data', { after: revision, waitTimeout: '200ms' }),
      ).rejects.toMatchObject({
        code: 'timeout',
      })
    }))

  test('recursive: every change of a node and of all below it, in order, and of no other', () =>
    withBed(async (app) => {
      const tree = new Tree(app)
      await tree.create('/w')
      await tree.create('/w2')
      const { revision: after } = await tree.getData('/w')
      const seen: TreeChange[] = []
      const watching = (async () => {
        for await (const change of tree.changes('/w', { after })) seen.push(change)
      })()
      await tree.create('/w/a')
      await tree.create('/w2/a')
      await tree.create('/w/a/b')
      await tree.setData('/w/a/b', some)
      await tree.delete('/w/a/b')
      await tree.setData('/w', some)
      await eventually(app.world, () => expect(seen).toHaveLength(5))
      expect(seen.map((change) => (change.type === 'resync' ? [] : [change.type, change.path]))).toEqual([
        ['created', '/w/a'],
        ['created', '/w/a/b'],
        ['data-changed', '/w/a/b'],
        ['deleted', '/w/a/b'],
        ['data-changed', '/w'],
      ])
      await tree.close()
      await watching
    }))
})

/** Creates and deletes; every loss and failure is part of the game. */
async function churn({ store, world }: App, made: string[]): Promise<void> {
  const tree = new Tree({ store, world })
  for (;;) {
    try {
      await tree.create('/q').catch(() => {})
      const session = await tree.session({ ttl: '2s' })
      for (let i = 0; i < 4; i++) {
        const path = await tree.create('/q/n-', some, { sequential: true, kind: 'ephemeral', session })
        made.push(path)
        if (world.random.float() < 0.5) await tree.delete(path)
      }
      await sleep(world, world.random.integer(10, 800))
      await session.close()
    } catch (error) {
      if (!isAlthingError(error)) throw error
      await sleep(world, 100)
    }
  }
}

testInSimulator(
  'faults of all kinds at chosen moments',
  'under stops, partitions and kills no number comes twice, and no ephemeral node outlives its session',
  async () => {
    for (const seed of [1]) {
      const bed = new TestBed(seed)
      const made: string[] = []
      const workers = ['w1', 'w2', 'w3']
      for (const name of workers) bed.spawn(name, (app) => churn(app, made))
      const random = bed.simulation.random('faults')
      for (let atMs = 1_500; atMs < 40_000; atMs += 1_500) {
        await bed.simulation.runUntil(atMs)
        const process = bed.process(workers[random.integer(0, 2)] as string)
        const lengthMs = random.integer(500, 5_000)
        if (random.integer(0, 2) === 0) process.restart('kill')
        else if (random.integer(0, 1) === 0) process.blockLoop(lengthMs)
        else bed.simulation.after(lengthMs, bed.simulation.network.isolate(process.name))
      }
      for (const name of workers) bed.process(name).crash('kill')
      const left: { names?: readonly string[] } = {}
      bed.spawn('judge', async ({ store, world }) => {
        await sleep(world, 10_000)
        left.names = (await new Tree({ store, world }).children('/q')).names
      })
      await bed.simulation.runUntil(() => left.names !== undefined)
      expect(made.length, `seed ${seed}`).toBeGreaterThan(20)
      expect(new Set(made).size, `seed ${seed}`).toBe(made.length)
      expect(left.names, `seed ${seed}`).toEqual([])
    }
  },
)
