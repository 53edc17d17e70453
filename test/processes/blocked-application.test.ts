// A lock held by a process whose event loop stands still; the others and the store are real too. Every kind of right: former-holders.test.ts.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Althing, open } from 'althing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Child, fixture, killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { NodeCluster, world } from './support/node-cluster.ts'
import { removeScratchFolders, scratchFolder } from './support/scratch-folder.ts'

const patient = { waitTimeout: '90s' } as const

let cluster: NodeCluster
let other: Althing
let folder: string

beforeAll(async () => {
  cluster = await NodeCluster.start(3)
  other = await open(cluster.url, { world })
  folder = scratchFolder('blocked')
})

afterAll(async () => {
  await other?.close()
  await killAllChildren()
  removeScratchFolders()
})

async function holder(
  name: string,
  ttl: string,
  maxStall = '30s',
): Promise<{ readonly child: Child; readonly token: number }> {
  const child = Child.script(fixture('right-holder'), ['lock', cluster.url, name, ttl, maxStall])
  const { token } = await child.event({ event: 'held' })
  return { child, token: token as number }
}

describe.concurrent('the holder of a lock', () => {
  test.each([
    // The second can be kept only by renewing it many times meanwhile.
    { ttl: '10s' },
    { ttl: '2s' },
  ])('with ttl $ttl keeps it while its event loop is blocked for 8 s', async ({ ttl }) => {
    const { child } = await holder(`blocked-${ttl}`, ttl)
    child.say('block 8000')
    await child.event({ event: 'blocking' })
    let refusals = 0
    const unblocked = await eventually('the loop runs again', async () => {
      expect(await other.locks.tryAcquire(`blocked-${ttl}`)).toBeNull()
      refusals += 1
      return child.lines.find((line) => line.includes('"unblocked"'))
    })
    expect(refusals).toBeGreaterThan(3)
    expect(JSON.parse(unblocked)).toMatchObject({ isHeld: true, lost: false })
    child.say('write kept')
    await child.event({ event: 'written' })
  })

  test('gives it up when its loop hangs for longer than the maximum stall', async () => {
    const maxStallMs = 3_000
    const { child, token } = await holder('hung', '2s', `${maxStallMs}ms`)
    const wake = join(folder, 'wake')
    child.say(`hang ${wake}`)
    await child.event({ event: 'hanging' })
    const hangingMs = performance.now()
    const next = await other.locks.acquire('hung', patient)
    expect(performance.now() - hangingMs, 'not before the stall allowed is over').toBeGreaterThan(
      maxStallMs - 1_000,
    )
    expect(next.token).toBeGreaterThan(token)
    writeFileSync(wake, '')
    expect(await child.event({ event: 'woke' })).toMatchObject({ isHeld: false })
    expect(await child.event({ event: 'lost' })).toMatchObject({ cause: 'event-loop-blocked' })
    child.say('write hung-value')
    expect(await child.event({ event: 'refused' })).toMatchObject({ code: 'stale-token' })
    await next.release()
  })
})
