// Every kind of right, held by a real process that is held up, stopped or killed; the others and the cluster of three are real too.
import { type Althing, open, textCodec } from 'althing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Child, fixture, killAllChildren } from './support/child.ts'
import { eventually, pause } from './support/eventually.ts'
import { NodeCluster, world } from './support/node-cluster.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

const ttlMs = 3_000
const blockedMs = 8_000
/** Longer than the ttl, and than what the fixture takes for a stop. */
const stoppedMs = 8_000
/** Of each kind of right: of four kinds 10,000. */
const staleWrites = 2_500
/** The resolution of the store's clock, and what a machine that has other work to do takes. */
const lateMs = 5_000

/** Who has it now, as the other process has it from the store. */
interface Successor {
  readonly token: number
  isHeld(): boolean
  release(): Promise<unknown>
}

interface Kind {
  readonly kind: string
  /** Whether the former holder stands in the store as its holder still. */
  isStanding(name: string): Promise<boolean>
  /** Waits for it. */
  succeed(name: string): Promise<Successor>
}

let cluster: NodeCluster
let other: Althing

const kinds: readonly Kind[] = [
  {
    kind: 'lock',
    isStanding: async (name) => (await other.locks.tryAcquire(name)) === null,
    succeed: async (name) => {
      const lock = await other.locks.acquire(name, { waitTimeout: '90s' })
      return { token: lock.token, isHeld: () => lock.isHeld, release: () => lock.release() }
    },
  },
  {
    kind: 'leadership',
    isStanding: async (name) => (await other.elections.leader(name))?.value === 'the former leader',
    succeed: async (name) => {
      const leadership = await other.elections.campaign(name)
      const { term: token } = leadership
      return { token, isHeld: () => leadership.isLeader, release: () => leadership.resign() }
    },
  },
  {
    kind: 'registration',
    isStanding: async (name) => (await other.discovery.instances(name))[0]?.address === 'former:1',
    succeed: async (name) => {
      const set = other.discovery.watch(name)
      await set.ready
      await eventually('the instance is gone from the live set', () => set.current.instances.length === 0)
      set.close()
      const registration = await other.discovery.register({ service: name, id: 'one', address: 'next:1' })
      const { registrationRevision: token } = registration.instance
      return { token, isHeld: () => registration.isRegistered, release: () => registration.deregister() }
    },
  },
  {
    kind: 'run',
    isStanding: async (name) => {
      const overview = (await other.cron.list()).find((each) => each.name === name)
      return overview?.running.length === 1 && overview.running[0]?.attempt === 1
    },
    succeed: (name) =>
      new Promise((resolve, reject) => {
        const run = async (next: { token: number; isHeld: boolean; signal: AbortSignal }): Promise<void> => {
          const release = (): Promise<unknown> => other.cron.remove(name)
          resolve({ token: next.token, isHeld: () => next.isHeld, release })
          await new Promise<void>((ended) => {
            next.signal.addEventListener('abort', () => ended(), { once: true })
          })
        }
        other.cron
          .schedule({ name, every: '1s', ttl: `${ttlMs}ms`, delivery: 'at-least-once', run })
          .catch(reject)
      }),
  },
]

beforeAll(async () => {
  cluster = await NodeCluster.start(3)
  other = await open(cluster.url, { world })
})

afterAll(async () => {
  await killAllChildren()
  await other?.close()
  removeScratchFolders()
})

async function holder(
  kind: string,
  name: string,
): Promise<{ readonly child: Child; readonly token: number }> {
  const child = Child.script(fixture('right-holder'), [kind, cluster.url, name, `${ttlMs}ms`, '30s'])
  const { token } = await child.event({ event: 'held' })
  return { child, token: token as number }
}

describe.concurrent.each(kinds)('the holder of a $kind', ({ kind, isStanding, succeed }) => {
  test('keeps it while its event loop is blocked for longer than the ttl', async () => {
    const name = `${kind}-blocked`
    const { child } = await holder(kind, name)
    child.say(`block ${blockedMs}`)
    await child.event({ event: 'blocking' })
    let looks = 0
    const unblocked = await eventually('the loop runs again', async () => {
      expect(await isStanding(name)).toBe(true)
      looks++
      return child.lines.find((line) => line.includes('"unblocked"'))
    })
    expect(looks).toBeGreaterThan(3)
    expect(JSON.parse(unblocked)).toMatchObject({ isHeld: true, lost: false })
    child.say(`write ${name}`)
    await child.event({ event: 'written' })
    await child.kill()
  })

  test('that was stopped knows at its first instruction that it has lost it, and none of its writes is taken any more', async () => {
    const name = `${kind}-stopped`
    const { child, token } = await holder(kind, name)
    child.say('spin')
    await pause(500)
    child.signal('SIGSTOP')
    const [next] = await Promise.all([succeed(name), pause(stoppedMs)])
    const text = other.store.as(textCodec)
    const revision = await text.put(name, 'by the new holder')
    expect(child.lines.filter((line) => line.includes('"lost"'))).toEqual([])
    child.signal('SIGCONT')

    expect(await child.event({ event: 'continued' })).toMatchObject({ isHeld: false })
    const lost = await child.event({ event: 'lost' })
    expect(lost).toMatchObject({ cause: 'process-stopped' })
    expect(lost.message).toMatch(/process stopped for \d/)
    expect(lost.turns, 'turns of the loop before it hears').toBeLessThanOrEqual(2)

    expect(next.isHeld()).toBe(true)
    expect(next.token).toBeGreaterThan(token)
    child.say(`attack ${staleWrites} ${name}`)
    expect(await child.event({ event: 'attacked' })).toMatchObject({ refused: staleWrites, written: 0 })
    expect(await text.get(name)).toMatchObject({ value: 'by the new holder', modRevision: revision })
    await next.release()
    await child.kill()
  })

  test('that is killed is followed by the next within the ttl', async () => {
    const name = `${kind}-killed`
    const { child, token } = await holder(kind, name)
    const succeeding = succeed(name)
    await pause(500)
    expect(await isStanding(name)).toBe(true)
    const killedMs = performance.now()
    await child.kill()
    const next = await succeeding
    expect(performance.now() - killedMs).toBeLessThan(ttlMs + lateMs)
    expect(next.token).toBeGreaterThan(token)
    await next.release()
  })
})
