import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createNodeWorld } from '../world/node-world.ts'
import { startControlServer } from './control-server.ts'
import { Supervisor } from './supervisor.ts'

const folder = mkdtempSync(join(tmpdir(), 'althing-supervisor-'))
const world = createNodeWorld({ dataFolder: folder })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const script = join(folder, 'child.mjs')
writeFileSync(
  script,
  `process.on('SIGTERM', () => { console.log('ending'); process.exit(0) })
   console.error('to stderr'); console.log('ready ' + process.env.WORD)
   setInterval(() => {}, 1000)`,
)

function supervise(name: string): {
  supervisor: Supervisor
  lines: string[]
  line: (count: number) => Promise<void>
} {
  const supervisor = new Supervisor(world, join(folder, name))
  const lines: string[] = []
  let notify = (): void => {}
  const line = async (count: number): Promise<void> => {
    while (lines.length < count) await new Promise<void>((resolve) => (notify = resolve))
  }
  const onLine = (text: string): void => {
    lines.push(text)
    notify()
  }
  supervisor.add({ name, kind: 'worker', script, args: [], env: { WORD: 'yes' }, onLine })
  return { supervisor, lines, line }
}

test('a process is paused, resumed, killed, started again and ended in good order', async () => {
  const { supervisor, lines, line } = supervise('one')
  await line(1)
  expect(lines).toEqual(['ready yes'])
  expect(() => supervisor.add({ name: 'one', kind: 'worker', script, args: [] })).toThrow(
    expect.objectContaining({ code: 'conflict' }),
  )
  expect(() => supervisor.kill('other')).toThrow(expect.objectContaining({ code: 'not-found' }))
  expect(() => supervisor.resume('one')).toThrow(expect.objectContaining({ code: 'conflict' }))
  supervisor.pause('one')
  expect(supervisor.list()).toMatchObject([{ name: 'one', state: 'paused', starts: 1 }])
  supervisor.resume('one')
  supervisor.kill('one')
  await supervisor.exited('one')
  expect(supervisor.list()).toMatchObject([{ state: 'stopped', lastExit: 'SIGKILL' }])
  expect(() => supervisor.pause('one')).toThrow(expect.objectContaining({ code: 'conflict' }))
  supervisor.start('one')
  await line(2)
  await Promise.all([supervisor.stop(), supervisor.stop()])
  expect(supervisor.list()).toMatchObject([{ state: 'stopped', lastExit: 'code 0', starts: 2 }])
  expect(lines.at(-1)).toBe('ending')
  for (const act of [
    () => supervisor.start('one'),
    () => supervisor.add({ name: 'two', kind: 'worker', script, args: [] }),
  ])
    expect(act).toThrow(expect.objectContaining({ code: 'closed' }))
  expect(readFileSync(supervisor.logFile('one'), 'utf8')).toContain('to stderr')
}, 20_000)

test('the control server acts for programs, and not for web pages', async () => {
  const { supervisor, line } = supervise('page')
  await line(1)
  const control = await startControlServer(supervisor)
  const post = (path: string, headers: Record<string, string> = {}) =>
    fetch(`http://${control.address}/processes/${path}`, { method: 'POST', headers })
  expect((await post('page/kill', { origin: 'http://evil.example' })).status).toBe(403)
  expect(supervisor.list()).toMatchObject([{ state: 'running' }])
  expect((await post('none/kill')).status).toBe(404)
  expect((await post('page/resume')).status).toBe(409)
  expect((await post('page/kill')).status).toBe(200)
  await supervisor.exited('page')
  await control.close()
  await control.close()
  await supervisor.stop()
}, 20_000)
