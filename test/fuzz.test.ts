import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AlthingError } from '../src/contracts/errors.ts'
import { closeTargets, openTargets } from './fuzz/all-targets.ts'
import { FuzzRun } from './fuzz/fuzz-run.ts'
import { codecTarget, type FuzzTarget } from './fuzz/fuzz-target.ts'
import { MemoryDisk } from './fuzz/memory-disk.ts'
import { fillFolder, type GroupContent, readFolder } from './fuzz/targets/node-folder.ts'
import { worldWith } from './fuzz/targets/disk-world.ts'

/** `npm run fuzz` gives them millions. */
const inputs = 60_000
const regressions = new URL('./fuzz/regressions/', import.meta.url)

describe('what reads bytes that others have made', () => {
  let targets: FuzzTarget[]
  beforeAll(async () => {
    targets = await openTargets('all')
  })
  afterAll(() => closeTargets(targets))

  test('keeps its properties whatever the bytes', async () => {
    const shares = targets.reduce((sum, { share }) => sum + share, 0)
    for (const target of targets) {
      const count = Math.ceil((inputs * target.share) / shares) + 100
      const report = await new FuzzRun(target, { seed: 'ci', inputs: count }).run()
      expect(report.failure).toBeUndefined()
      // An input that is refused at the door shows nothing of what is behind it.
      expect(report.outcomes, target.name).toBeGreaterThan(1)
    }
  })

  test('bears every input that once broke it', async () => {
    const files = readdirSync(regressions).filter((file) => file.endsWith('.hex'))
    for (const file of files) {
      const target = targets.find(({ name }) => file.startsWith(`${name}-`))
      expect(target, file).toBeDefined()
      const hex = readFileSync(new URL(file, regressions), 'utf8').trim()
      await expect(Promise.resolve(target?.run(Buffer.from(hex, 'hex'))), file).resolves.toBeTypeOf('string')
    }
  })
})

describe('the fuzzer', () => {
  const run = (target: FuzzTarget, count = 20_000) => new FuzzRun(target, { seed: '1', inputs: count }).run()
  const seeds = [Buffer.from('some valid input of a length')]
  const like = { name: 'planted', area: 'wire', share: 1, seeds, inputBytesMax: 200 } as const

  test('finds an exception that nothing explains, and the smallest input that leads to it', async () => {
    const planted = (bytes: Buffer): string => {
      if (bytes.includes(0x80)) throw new TypeError('undefined is not a function')
      return 'accepted'
    }
    const { failure } = await run({ ...like, run: planted })
    expect(failure).toMatchObject({ property: 'TypeError', inputHex: '80' })
  })

  test('finds a value that comes back as another', async () => {
    const target = codecTarget<number>({
      ...like,
      values: [1, 2, 300],
      encode: (value) => Buffer.from([value & 0xff, value >> 8]),
      decode: (bytes) => {
        if (bytes.length < 2) throw new AlthingError('corrupt', 'too short')
        return (bytes[0] as number) + 256 * (bytes[1] as number) + (bytes.length > 2 ? 65_536 : 0)
      },
    })
    expect((await run(target)).failure).toMatchObject({ property: 'round-trip', inputHex: '000000' })
  })

  test('finds an error with a code that bad input must not lead to', async () => {
    const target = codecTarget<string>({
      ...like,
      values: ['x'],
      encode: (value) => Buffer.from(value, 'latin1'),
      decode: (bytes) => {
        if (bytes.length > 20) throw new AlthingError('internal', 'how did we get here')
        return bytes.toString('latin1')
      },
    })
    expect((await run(target)).failure?.property).toBe('AlthingError internal')
  })

  test('finds memory that is never let go', async () => {
    const kept: Buffer[] = []
    const hoard = (bytes: Buffer): string => {
      kept.push(Buffer.alloc(0), bytes)
      hoarded.push(Array.from({ length: 400 }, (_, i) => i + bytes.length))
      return 'accepted'
    }
    const hoarded: number[][] = []
    expect((await run({ ...like, run: hoard })).failure?.property).toBe('memory')
    expect(hoarded.length + kept.length).toBeGreaterThan(0)
  })

  test('finds an input that takes too long each time', async () => {
    const slow = (bytes: Buffer): string => {
      const end = performance.now() + (bytes.length === 0 ? 600 : 0)
      while (performance.now() < end);
      return 'accepted'
    }
    const { failure } = await run({ ...like, seeds: [...seeds, Buffer.alloc(0)], run: slow }, 100)
    expect(failure).toMatchObject({ property: 'time', inputHex: '' })
  })
})

test("the folder that is damaged holds what a node's folder holds", async () => {
  const image = await fillFolder(new MemoryDisk())
  const content = await readFolder(worldWith(new MemoryDisk(image)))
  expect([...image.keys()].filter((path) => path.includes('wal-')).length).toBeGreaterThan(2)
  const { 1: first, 2: second, ...others } = Object.fromEntries(content)
  expect(others).toEqual({ 4: { entries: [], snapshot: undefined, votingFloor: { index: 1, term: 1 } } })
  for (const { entries, snapshot } of [first, second] as GroupContent[]) {
    expect(entries.length).toBeGreaterThan(50)
    expect(snapshot?.endsWith('the end')).toBe(true)
  }
})
