// The command as a person types it, against a cluster that the command itself runs.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Child, isAlive, killAllChildren } from './support/child.ts'
import { descendants } from './support/descendants.ts'
import { eventually } from './support/eventually.ts'
import { removeScratchFolders, scratchFolder } from './support/scratch-folder.ts'

let folder: string
let up: Child
let url: string

beforeAll(async () => {
  folder = scratchFolder('command')
  up = Child.command(['up', '--nodes', '3', '--data', join(folder, 'up'), '--json'], { cwd: folder })
  url = String((await eventually('the cluster', () => jsonOf(up.lines[0]))).url)
})

afterAll(async () => {
  await endInOrder(up)
  await killAllChildren()
  removeScratchFolders()
})

interface Result {
  readonly code: number | null
  readonly out: string
  readonly json: unknown
  readonly error: string
}

async function run(...args: readonly string[]): Promise<Result> {
  const child = Child.command(args, { cwd: folder, env: { ALTHING_URL: url } })
  const { code } = await child.ending()
  const out = child.lines.join('\n')
  return { code, out, json: jsonOf(child.lines.at(-1)), error: child.errors }
}

function jsonOf(line: string | undefined): Record<string, unknown> | undefined {
  try {
    return line === undefined ? undefined : (JSON.parse(line) as Record<string, unknown>)
  } catch {
    return undefined
  }
}

/** Ctrl-C; its whole family ends with it. */
async function endInOrder(child: Child): Promise<readonly number[]> {
  const family = [child.pid, ...descendants(child.pid)]
  child.signal('SIGINT')
  await child.ending()
  return family
}

describe('put, get and del', () => {
  test('write, read and delete a key', async () => {
    expect((await run('put', 'greeting', 'hello')).out).toMatch(/^revision \d+$/)
    expect(await run('get', 'greeting')).toMatchObject({ code: 0, out: 'hello' })
    const read = await run('get', 'greeting', '--json')
    expect(read.json).toMatchObject({ key: 'greeting', value: 'hello', version: 1, lease: 0 })
    expect((await run('del', 'greeting', '--json')).json).toMatchObject({ deleted: 1 })
    expect(await run('del', 'greeting')).toMatchObject({ code: 0, out: '0 deleted' })
  })

  test('a missing key is exit code 1, and an error with its code', async () => {
    const plain = await run('get', 'nothing')
    expect(plain).toMatchObject({ code: 1, out: '' })
    expect(plain.error).toBe('althing: there is no key nothing [not-found]\n')
    const json = await run('get', 'nothing', '--json')
    expect(json.code).toBe(1)
    expect(jsonOf(json.error)).toMatchObject({ error: { code: 'not-found' } })
  })

  test('a put at a revision that has passed is refused, and changes nothing', async () => {
    await run('put', 'once', 'first')
    const late = await run('put', 'once', 'second', '--if-revision', '0')
    expect(late.code).not.toBe(0)
    expect(late.error).toContain('[conflict]')
    expect((await run('get', 'once')).out).toBe('first')
  })

  test('a wrong address is exit code 2, and says what is allowed', async () => {
    const { code, error } = await run('get', 'x', '--url', 'nonsense')
    expect(code).toBe(2)
    expect(error).toMatch(/url is "nonsense", but must be .*althing:.*\[invalid-argument\]/)
  })
})

test('watch prints the changes as they come, until Ctrl-C', async () => {
  const watch = Child.command(['watch', 'seen', '--json'], { cwd: folder, env: { ALTHING_URL: url } })
  let writes = 0
  const change = await eventually('a change', async () => {
    writes += 1
    await run('put', 'seen', String(writes))
    return jsonOf(watch.lines.find((line) => line.includes('"seen"')))
  })
  expect(JSON.stringify(change)).toContain('"put"')
  watch.signal('SIGINT')
  await watch.ending()
})

test('txn takes one branch or the other, and says which by its exit code', async () => {
  const document = JSON.stringify({
    compare: [{ key: 'stock', target: 'version', op: '=', value: 0 }],
    then: [{ op: 'put', key: 'stock', value: '3' }],
    else: [{ op: 'get', key: 'stock' }],
  })
  expect((await run('txn', document)).code).toBe(0)
  const second = await run('txn', document, '--json')
  expect(second.code).toBe(3)
  expect(second.json).toMatchObject({ succeeded: false })
})

test('status and doctor know all members', async () => {
  const { code, json } = await run('status', '--json')
  expect(code).toBe(0)
  expect((json as { members: unknown[] }).members).toHaveLength(3)
  const { out } = await run('doctor')
  expect(out).toContain('3 of 3 nodes answer')
})

test('quota shows how full the store is, and sets the quota for all members', async () => {
  expect((await run('quota')).out).toMatch(/ of 2 GiB \(0 %\), of it .* history$/)
  expect(await run('quota', '64MiB')).toMatchObject({ code: 0, out: 'the quota is 64 MiB now' })
  await eventually('every member knows it', async () => {
    const spaces = await Promise.all(
      url
        .replace('althing://', '')
        .split(',')
        .map((address) => run('quota', '--url', `althing://${address}`, '--json')),
    )
    return spaces.every(({ json }) => (json as { quotaBytes?: number }).quotaBytes === 64 * 1024 ** 2)
  })
  const refused = await run('quota', '1KiB')
  expect(refused.code).toBe(2)
  expect(refused.error).toContain('16MiB')
})

describe('lock', () => {
  test('runs a command under its token and ends as the command does', async () => {
    const script = 'echo $ALTHING_LOCK_NAME $ALTHING_LOCK_TOKEN; exit 7'
    const { code, out } = await run('lock', 'job', '--', 'sh', '-c', script)
    expect(code).toBe(7)
    expect(out).toMatch(/^job [1-9]\d*$/)
  })

  test('does not run it while another holds the lock', async () => {
    const held = Child.command(['lock', 'busy', '--', 'sh', '-c', 'echo in; read end'], {
      cwd: folder,
      env: { ALTHING_URL: url },
    })
    await eventually('the lock is held', () => held.lines.includes('in'))
    const marker = join(folder, 'ran')
    const second = await run('lock', 'busy', '--wait', '500ms', '--', 'touch', marker)
    expect(second.code).toBe(124)
    expect(existsSync(marker)).toBe(false)
    held.say('end')
    expect((await held.ending()).code).toBe(0)
  })
})

describe('Ctrl-C leaves no process behind', () => {
  async function expectNoneLeft(child: Child, atLeast: number): Promise<void> {
    expect(descendants(child.pid).length).toBeGreaterThanOrEqual(atLeast)
    const family = await endInOrder(child)
    await eventually('the whole family has ended', () => !family.some(isAlive))
  }

  test('after up', async () => {
    const child = Child.command(['up', '--nodes', '3', '--data', join(folder, 'second'), '--json'])
    await eventually('the cluster', () => jsonOf(child.lines[0]))
    await expectNoneLeft(child, 3)
  })

  test('after up that is not ready yet', async () => {
    const child = Child.command(['up', '--nodes', '3', '--data', join(folder, 'third'), '--json'])
    await eventually('its nodes have started', () => descendants(child.pid).length >= 3)
    await expectNoneLeft(child, 3)
  })

  test('after dev', async () => {
    const child = Child.command(['dev', '--data', join(folder, 'dev'), '--json'])
    await eventually('the node', () => jsonOf(child.lines[0]))
    await expectNoneLeft(child, 0)
  })

  test('after demo', async () => {
    const data = join(folder, 'demo')
    const child = Child.command(['demo', '--workers', '2', '--agents', '10', '--data', data])
    await eventually('the agents come', () => child.lines.find((line) => /connected [1-9]/.test(line)))
    // Three nodes, two workers, the gateway, the load.
    await expectNoneLeft(child, 7)
  })
})
