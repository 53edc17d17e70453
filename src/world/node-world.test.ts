import { fork } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Entry } from '../protocols/raft/types.ts'
import { openLoneGroup } from '../replication/lone-group.testkit.ts'
import { createNodeWorld } from './node-world.ts'

const source = path.resolve(import.meta.dirname, '..')
let folder: string
/** Where the built copy of `src/world` and what it needs is. */
let built: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'althing-world-'))
  built = path.join(folder, 'built')
  for (const part of ['base', 'contracts', 'world']) await build(part)
  await symlink(path.resolve(source, '../node_modules'), path.join(built, 'node_modules'))
  await writeFile(path.join(built, 'package.json'), '{"type":"module"}')
})

afterAll(() => rm(folder, { recursive: true, force: true }))

async function build(part: string): Promise<void> {
  await mkdir(path.join(built, part), { recursive: true })
  for (const name of await readdir(path.join(source, part))) {
    if (!name.endsWith('.ts') || name.includes('.test')) continue
    const text = await readFile(path.join(source, part, name), 'utf8')
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    })
    await writeFile(path.join(built, part, name.replace(/ts$/, 'js')), outputText)
  }
}

/** Runs `text` as a module of a process of its own and gives its first message and a way to kill it. */
async function child(text: string): Promise<{ message: unknown; kill: () => Promise<void> }> {
  const file = path.join(built, `child-${Math.random().toString(16).slice(2)}.js`)
  await writeFile(file, `import { createNodeWorld } from './world/node-world.js'\n${text}`)
  const process = fork(file, [folder], { execArgv: [] })
  const ended = new Promise<void>((resolve) => process.once('exit', () => resolve()))
  const message = await Promise.race([
    new Promise((resolve) => process.once('message', resolve)),
    ended.then(() => 'ended without a message'),
  ])
  return {
    message,
    kill: () => {
      process.kill('SIGKILL')
      return ended
    },
  }
}

describe('the lock of a folder', () => {
  const takeIt = `
    const world = createNodeWorld({ dataFolder: process.argv[2] })
    world.disk.lock('locked').then(
      () => process.send('locked'),
      (error) => process.send({ code: error.code, message: error.message }),
    )
    setInterval(() => {}, 1000)`

  test('is held against another process, and freed when its holder is killed', async () => {
    const holder = await child(takeIt)
    expect(holder.message).toBe('locked')
    const { disk } = createNodeWorld({ dataFolder: folder })
    await expect(disk.lock('locked')).rejects.toMatchObject({
      code: 'conflict',
      message: /in use by process \d+/,
    })
    await holder.kill()
    const lock = await disk.lock('locked')
    const other = await child(takeIt)
    expect(other.message).toMatchObject({ code: 'conflict' })
    await other.kill()
    await lock.release()
    expect(await disk.list('locked')).toEqual([])
  })

  test('goes to one of many that ask at once, also under a long path', async () => {
    const { disk } = createNodeWorld({ dataFolder: folder })
    const deep = Array(8).fill('a-rather-long-name').join('/')
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => disk.lock(deep)))
    const won = results.filter((result) => result.status === 'fulfilled')
    expect(won.length).toBeLessThanOrEqual(1)
    for (const result of won) await result.value.release()
    await (await disk.lock(deep)).release()
  })
})

describe('files', () => {
  test('hold what was written, at its place, through either way of writing', async () => {
    const { disk } = createNodeWorld({ dataFolder: folder })
    await disk.makeDirectory('files')
    const file = await disk.open('files/a', { create: true })
    await file.write(3, [Buffer.from('abc'), new Uint8Array(0), Buffer.from('def')])
    await file.writeDurably(1, [Buffer.from('x'), Buffer.from('y')])
    await file.writeDurably(9, [Buffer.from('z')])
    await file.sync()
    expect(Buffer.from(await disk.read('files/a')).toString('latin1')).toBe('\0xyabcdefz')
    expect(Buffer.from(await file.read(8, 100)).toString()).toBe('fz')
    await file.truncate(4)
    expect(await file.size()).toBe(4)
    await file.write(0, Array(3000).fill(Buffer.from('ab')))
    expect(await file.size()).toBe(6000)
    await file.close()
    await disk.rename('files/a', 'files/b')
    await disk.syncDirectory('files')
    expect(await disk.list('files')).toEqual(['b'])
    await disk.remove('files/b')
    await disk.remove('files/b')
    expect(await disk.list('nowhere')).toEqual([])
    await expect(disk.open('files/b')).rejects.toMatchObject({ code: 'not-found', cause: { code: 'ENOENT' } })
    await expect(disk.read('../../etc/hostname')).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  test('carry a whole storage: log and snapshot come back', async () => {
    const world = createNodeWorld({ dataFolder: folder })
    const options = { identity: { clusterId: 'c', nodeId: 1 }, segmentBytes: 65_536 }
    const first = await openLoneGroup(world, 'node', options)
    const entry = (index: number): Entry => ({
      index,
      term: 1,
      kind: 'command',
      data: new Uint8Array(900).fill(1),
    })
    await Promise.all(
      Array.from({ length: 200 }, (_, i) => first.storage.append({ entries: [entry(i + 1)] })),
    )
    const meta = { index: 150, term: 1, configuration: { voters: [1] } }
    await first.storage.saveSnapshot(meta, [Buffer.from('the state')])
    await first.storage.compact(150)
    await expect(openLoneGroup(world, 'node', options)).rejects.toMatchObject({ code: 'conflict' })
    await first.storage.close()
    const second = await openLoneGroup(world, 'node', options)
    expect(second.restored.snapshot).toEqual(meta)
    expect(second.restored.entries.at(-1)?.index).toBe(200)
    await second.storage.close()
  })
})

describe('time and chance', () => {
  test('a timer never fires early, in order, and not after it was cancelled', async () => {
    const { clock, timers } = createNodeWorld({ dataFolder: folder })
    const fired: string[] = []
    const start = clock.monotonicMs()
    const elapsed = await new Promise<number>((resolve) => {
      const cancelled = timers.after(1, () => fired.push('cancelled'))
      timers.after(3, () => fired.push('first'))
      timers.after(3, () => fired.push('second'))
      timers.after(2 ** 40, () => fired.push('in years')).cancel()
      timers.after(50.5, () => resolve(clock.monotonicMs() - start))
      cancelled.cancel()
    })
    expect(elapsed).toBeGreaterThanOrEqual(50.5)
    expect(fired).toEqual(['first', 'second'])
  })

  test('integers stay in their range and reach both ends', () => {
    const { random } = createNodeWorld({ dataFolder: folder })
    const seen = new Set(Array.from({ length: 2000 }, () => random.integer(-1, 2)))
    expect([...seen].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2])
    for (let i = 0; i < 2000; i++) expect(random.float()).toBeLessThan(1)
    expect(random.bytes(16).length).toBe(16)
  })
})

test('a thread shares memory and clock, talks in order, and tells its end', async () => {
  await writeFile(
    path.join(built, 'thread.js'),
    `export function run(world, channel, { shared, fails }) {
      new Float64Array(shared)[0] = world.clock.monotonicMs()
      for (let i = 0; i < 3; i++) channel.post(i)
      channel.onMessage((message) => { throw new Error(message) })
    }`,
  )
  const { message, kill } = await child(`
    const world = createNodeWorld({ dataFolder: process.argv[2] })
    const shared = new SharedArrayBuffer(8)
    const before = world.clock.monotonicMs()
    const moduleUrl = new URL('./thread.js', import.meta.url).href
    const thread = world.threads.start({ moduleUrl, exportName: 'run', run: () => {} }, { shared })
    const got = []
    thread.onMessage((message) => {
      got.push(message)
      if (message === 2) thread.post('it failed')
    })
    thread.onExit((error) => {
      const time = new Float64Array(shared)[0]
      const isBetween = time >= before && time <= world.clock.monotonicMs()
      process.send({ got, error: error?.message, isBetween })
    })`)
  await kill()
  expect(message).toEqual({ got: [0, 1, 2], error: 'it failed', isBetween: true })
})
