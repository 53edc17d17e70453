import { describe, expect, test } from 'vitest'
import { textFromBytes, bytesFromText } from '../../base/bytes.ts'
import type { Disk, World } from '../../contracts/world.ts'
import type { CrashRule } from './file-content.ts'
import type { CrashKind, SimulatedProcess } from './simulated-process.ts'
import { Simulation } from './simulation.ts'

interface Machine {
  readonly simulation: Simulation
  readonly process: SimulatedProcess
  /** Runs `work` on the disk in the process and gives its result, or its error. */
  run<T>(work: (disk: Disk) => Promise<T>): Promise<T>
}

function machine(seed = 1): Machine {
  const simulation = new Simulation({ seed })
  let world: World | undefined
  const process = simulation.process('p', (given) => {
    world = given
  })
  const run = async <T>(work: (disk: Disk) => Promise<T>): Promise<T> => {
    if (!process.isRunning) process.start()
    await simulation.runUntil(simulation.nowMs + 1)
    let settled: (() => T) | undefined
    work((world as World).disk).then(
      (value) => {
        settled = () => value
      },
      (error: unknown) => {
        settled = () => {
          throw error
        }
      },
    )
    await simulation.runUntil(() => settled !== undefined || !process.isRunning)
    return (settled as unknown as (() => T) | undefined)?.() as T
  }
  return { simulation, process, run }
}

const block = (fill: number, length = 512): Uint8Array => new Uint8Array(length).fill(fill)

/** 8 sectors of 1 are synced, and 2 is written over them without sync; returns what a crash leaves. */
async function crashAfterOverwrite(
  seed: number,
  rule: CrashRule,
  kind: CrashKind = 'power',
): Promise<Uint8Array> {
  const { process, run } = machine(seed)
  process.disk.conditions.crashRule = rule
  await run(async (disk) => {
    const file = await disk.open('f', { create: true })
    await file.writeDurably(0, [block(1, 4096)])
    await disk.syncDirectory('')
    await file.write(0, [block(2, 4096)])
  })
  process.crash(kind)
  return run((disk) => disk.read('f'))
}

describe('the simulated disk', () => {
  test('reads what was written, in chunks, with zeros in the gaps; fewer bytes only at the end', async () => {
    const { run } = machine()
    const seen = await run(async (disk) => {
      await disk.makeDirectory('a/b')
      const file = await disk.open('a/b/f', { create: true })
      await file.write(2, [bytesFromText('one'), bytesFromText('two')])
      await file.truncate(9)
      const parts = [await file.read(0, 4), await file.read(7, 100)]
      await file.close()
      const error: unknown = await file.read(0, 1).catch((reason: unknown) => reason)
      return { parts, error, names: await disk.list('a/b'), none: await disk.list('nothing') }
    })
    expect(seen.parts.map(textFromBytes)).toEqual(['\0\0on', 'o\0'])
    expect(seen.error).toMatchObject({ code: 'closed' })
    expect([seen.names, seen.none]).toEqual([['f'], []])
  })

  test('a missing file is not found, and a path that leaves the data folder is refused', async () => {
    const { run } = machine()
    const missing = { code: 'not-found', cause: { code: 'ENOENT' } }
    await expect(run((disk) => disk.open('f'))).rejects.toMatchObject(missing)
    await expect(run((disk) => disk.read('f'))).rejects.toMatchObject(missing)
    await expect(run((disk) => disk.open('no/f', { create: true }))).rejects.toMatchObject(missing)
    await expect(run((disk) => disk.read('../f'))).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(run((disk) => disk.remove('f'))).resolves.toBeUndefined()
  })

  test('power loss: what was synced stays; what was not is lost, kept, or torn by sector', async () => {
    expect(await crashAfterOverwrite(1, 'lost')).toEqual(block(1, 4096))
    expect(await crashAfterOverwrite(1, 'kept')).toEqual(block(2, 4096))
    expect(await crashAfterOverwrite(1, 'lost', 'kill')).toEqual(block(2, 4096))
    const patterns = new Set<string>()
    for (let seed = 0; seed < 8; seed++) {
      const bytes = await crashAfterOverwrite(seed, 'torn')
      const sectors = Array.from({ length: 8 }, (_, i) => [
        ...new Set(bytes.subarray(i * 512, (i + 1) * 512)),
      ])
      expect(sectors.every((fills) => fills.length === 1)).toBe(true)
      patterns.add(sectors.flat().join(''))
    }
    expect(patterns.size).toBeGreaterThan(4)
  })

  test('power loss: a size that was not synced goes back, or stops on the way', async () => {
    const sizes = new Set<number>()
    for (let seed = 0; seed < 20; seed++) {
      const { process, run } = machine(seed)
      process.disk.conditions.crashRule = 'torn'
      await run(async (disk) => {
        const file = await disk.open('f', { create: true })
        await file.writeDurably(0, [block(1, 100)])
        await disk.syncDirectory('')
        await file.write(100, [block(2, 1_900)])
      })
      process.crash()
      sizes.add((await run((disk) => disk.read('f'))).byteLength)
    }
    expect([...sizes].sort((a, b) => a - b)).toEqual([100, 512, 1024, 1536, 2000])
  })

  test('power loss: names need the sync of their folder, folders that of their parent', async () => {
    const { process, run } = machine()
    await run(async (disk) => {
      await disk.makeDirectory('kept')
      await disk.makeDirectory('lost')
      for (const name of ['kept/a', 'kept/b', 'kept/old', 'lost/x']) {
        const file = await disk.open(name, { create: true })
        await file.writeDurably(0, [bytesFromText(name)])
      }
      await disk.syncDirectory('kept')
      await disk.syncDirectory('lost')
      await disk.remove('kept/a')
      await disk.rename('kept/b', 'kept/old')
      await disk.open('kept/new', { create: true })
    })
    expect(await run((disk) => disk.list('kept'))).toEqual(['new', 'old'])
    process.crash()
    expect(await run((disk) => disk.list('kept'))).toEqual([])
    await run(async (disk) => {
      await disk.makeDirectory('kept')
      await disk.syncDirectory('')
      const file = await disk.open('kept/a', { create: true })
      await file.writeDurably(0, [bytesFromText('a')])
      await disk.syncDirectory('kept')
      await disk.rename('kept/a', 'kept/b')
    })
    process.crash()
    expect(await run((disk) => disk.list('kept'))).toEqual(['a'])
    expect(textFromBytes(await run((disk) => disk.read('kept/a')))).toBe('a')
  })

  test('two syncs that end in another order than they began lose nothing', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { process, run } = machine(seed)
      await run(async (disk) => {
        const file = await disk.open('f', { create: true })
        await disk.syncDirectory('')
        await file.write(0, [block(1)])
        const first = file.sync()
        await file.write(512, [block(2)])
        await file.sync()
        process.crash()
        void first
      })
      expect(await run((disk) => disk.read('f'))).toEqual(new Uint8Array([...block(1), ...block(2)]))
    }
  })

  test('a failed write may be done in part and a full disk says ENOSPC, but overwrites in place', async () => {
    const { process, run } = machine()
    process.disk.failNext('write')
    const write = (offset: number) => (disk: Disk) =>
      disk.open('f', { create: true }).then((file) => file.write(offset, [block(1)]))
    await expect(run(write(0))).rejects.toMatchObject({ code: 'disk-failed', cause: { code: 'EIO' } })
    await run(write(0))
    process.disk.conditions.isFull = true
    const full = { code: 'disk-failed', outcome: 'unknown', cause: { code: 'ENOSPC' } }
    await expect(run(write(512))).rejects.toMatchObject(full)
    await expect(run(write(0))).resolves.toBeUndefined()
    await expect(run((disk) => disk.open('g', { create: true }))).rejects.toMatchObject(full)
    process.disk.heal()
    process.disk.conditions.capacityBytes = 1_000
    await expect(run(write(512))).rejects.toMatchObject(full)
  })

  test('what a stalled disk was asked for ends soon after it has healed', async () => {
    const simulation = new Simulation({ seed: 1 })
    let writtenMs: number | undefined
    const process = simulation.process('node', async ({ disk }) => {
      const file = await disk.open('f', { create: true })
      process.disk.conditions.slowness = 10_000_000
      await file.write(0, [block(1)])
      writtenMs = simulation.nowMs
    })
    await simulation.runUntil(1_000)
    expect(writtenMs).toBeUndefined()
    process.disk.heal()
    await simulation.runUntil(1_010)
    expect(writtenMs).toBeLessThan(1_010)
  })

  test('after a failed sync the pages read as written, a later sync succeeds, and the power takes them', async () => {
    let lostCount = 0
    for (let seed = 0; seed < 8; seed++) {
      const { process, run } = machine(seed)
      const seen = await run(async (disk) => {
        const file = await disk.open('f', { create: true })
        await file.writeDurably(0, [block(1)])
        await disk.syncDirectory('')
        await file.write(0, [block(2)])
        process.disk.failNext('sync')
        const error: unknown = await file.sync().catch((reason: unknown) => reason)
        await file.sync()
        return { error, byte: (await file.read(0, 1))[0] }
      })
      expect(seen).toMatchObject({ error: { code: 'disk-failed', cause: { code: 'EIO' } }, byte: 2 })
      process.crash()
      if ((await run((disk) => disk.read('f')))[0] === 1) lostCount++
    }
    expect(lostCount).toBeGreaterThan(0)
    expect(lostCount).toBeLessThan(8)
  })

  test('a flipped bit is in what is read, before and after a restart', async () => {
    const { process, run } = machine()
    await run(async (disk) => {
      const file = await disk.open('f', { create: true })
      await file.writeDurably(0, [block(0)])
      await disk.syncDirectory('')
    })
    process.disk.flipBit('f', 10, 3)
    expect((await run((disk) => disk.read('f')))[10]).toBe(8)
    process.restart()
    expect((await run((disk) => disk.read('f')))[10]).toBe(8)
    expect(process.disk.flipRandomBit((path) => path === 'g')).toBeUndefined()
    const flip = process.disk.flipRandomBit()
    expect(flip?.path).toBe('f')
  })

  test('a slow disk takes longer', async () => {
    const { simulation, process, run } = machine()
    const measure = async (): Promise<number> => {
      const startMs = simulation.nowMs
      await run((disk) => disk.syncDirectory(''))
      return simulation.nowMs - startMs - 1
    }
    expect(await measure()).toBeLessThan(10)
    process.disk.conditions.slowness = 1_000
    expect(await measure()).toBeGreaterThan(79)
  })

  test('a folder has one holder; release and death free it', async () => {
    const simulation = new Simulation({ seed: 1 })
    const log: string[] = []
    const main = (name: string) => async (world: World) => {
      const lock = await world.disk.lock('d').catch((error: { code: string; message: string }) => error)
      log.push('code' in lock ? `${name}: ${lock.code}, ${lock.message}` : `${name}: has it`)
      if (name === 'c' && 'release' in lock) await lock.release()
    }
    const a = simulation.process('a', main('a'))
    await simulation.runUntil(10)
    const b = simulation.process('b', main('b'), { disk: a.disk })
    await simulation.runUntil(20)
    a.crash('kill')
    for (const name of ['c', 'd']) {
      simulation.process(name, main(name), { disk: a.disk })
      await simulation.runUntil(simulation.nowMs + 10)
    }
    expect(b.isRunning).toBe(true)
    expect(log).toEqual(['a: has it', "b: conflict, the folder 'd' is held by a", 'c: has it', 'd: has it'])
  })
})

describe('what firmware and media do', () => {
  test('a read fails once so many others have gone well, and only then', async () => {
    const { process, run } = machine()
    await run(async (disk) => (await disk.open('f', { create: true })).writeDurably(0, [block(1)]))
    let failures = 0
    process.disk.failNext('read', 1, () => failures++, 1)
    const seen = await run(async (disk) => {
      const outcomes: unknown[] = []
      for (let i = 0; i < 3; i++)
        outcomes.push(
          await disk.read('f').then(
            ({ length }) => length,
            (error) => error,
          ),
        )
      return outcomes
    })
    expect(seen).toEqual([512, expect.objectContaining({ code: 'disk-failed', outcome: 'none' }), 512])
    expect(failures).toBe(1)
  })

  test('a misdirected write puts whole sectors in the place of others, for good, and never empty ones', async () => {
    const { process, run } = machine(7)
    await run(async (disk) => {
      const file = await disk.open('f', { create: true })
      await file.writeDurably(0, [block(1), block(2), block(0), block(3)])
      await disk.syncDirectory('')
    })
    const before = await run((disk) => disk.read('f'))
    let copy: ReturnType<typeof process.disk.misdirectRandomSectors>
    while (copy === undefined) copy = process.disk.misdirectRandomSectors()
    process.crash('power')
    const after = await run((disk) => disk.read('f'))
    const at = copy.byteOffset
    expect(after.length).toBe(before.length)
    expect(after.slice(at, at + 512)).toEqual(before.slice(copy.fromOffset, copy.fromOffset + 512))
    expect(after.slice(at, at + 512)).not.toEqual(before.slice(at, at + 512))
    expect(after[at]).not.toBe(0)
  })
})
