// A backup of a cluster under load, and the cluster that is made of it, with the command as an operator uses it.
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openClusterStore } from 'althing/engines'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePorts } from '../../src/node/free-ports.ts'
import { Child, killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { NodeCluster, world } from './support/node-cluster.ts'
import { removeScratchFolders, scratchFolder } from './support/scratch-folder.ts'

let folder: string
let old: NodeCluster

beforeAll(async () => {
  folder = scratchFolder('backup')
  old = await NodeCluster.start(3)
})

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

interface Result {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

async function run(url: string, ...args: readonly string[]): Promise<Result> {
  const child = Child.command(args, { cwd: folder, env: { ALTHING_URL: url } })
  const { code } = await child.ending()
  return { code, out: child.lines.join('\n'), error: child.errors }
}

async function json<T>(url: string, ...args: readonly string[]): Promise<T> {
  const { code, out, error } = await run(url, ...args, '--json')
  expect(code, error).toBe(0)
  return JSON.parse(out.split('\n').at(-1) ?? '') as T
}

/** Two keys, written together with the same value: a copy in which they differ is of no one moment. */
class Load {
  acknowledged = 0
  readonly #store
  #isOver = false
  readonly #done: Promise<void>

  constructor(cluster: NodeCluster) {
    this.#store = openClusterStore(world, { endpoints: cluster.addresses })
    this.#done = this.#write()
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#done
    await this.#store.close()
  }

  async #write(): Promise<void> {
    for (let i = 1; !this.#isOver; i++) {
      const value = Buffer.from(String(i))
      await this.#store.txn({
        then: [
          { op: 'put', key: 'pair/left', value },
          { op: 'put', key: 'pair/right', value },
          { op: 'put', key: `item/${i % 500}`, value },
        ],
      })
      this.acknowledged = i
    }
  }
}

interface Taken {
  readonly groups: readonly [{ readonly revision: number; readonly keys: number }]
}

describe('a backup', () => {
  test('is taken under load, verified, and becomes a cluster that old members cannot join', async () => {
    const load = new Load(old)
    await eventually('some load', () => (load.acknowledged > 100 ? true : undefined))
    const acknowledged = load.acknowledged
    const taken = await json<Taken>(old.url, 'backup', 'store.backup')
    await load.stop()
    const verified = await json<Taken>(old.url, 'backup', 'verify', 'store.backup')
    expect(verified.groups[0]).toMatchObject(taken.groups[0])
    expect((await run(old.url, 'doctor', '--json')).out).toMatch(/"check":"backup","severity":"ok"/)

    const ports = await freePorts(6)
    const members = [1, 2, 3].map((id) => `${id}=127.0.0.1:${ports[id - 1]}`).join(',')
    await old.stop()
    const restored = await json<{ clusterId: string }>(
      '',
      ...['restore', 'store.backup', '--data', 'new', '--members', members],
    )
    expect(restored.clusterId).toMatch(/^proof-[0-9a-f]{12}$/)
    const place = { cluster: restored.clusterId, folder: join(folder, 'new'), ports }
    const fresh = await NodeCluster.create(3, place)
    for (const member of fresh.members) member.start()
    await fresh.ready()

    const left = await json<{ value: string }>(fresh.url, 'get', 'pair/left')
    const right = await json<{ value: string }>(fresh.url, 'get', 'pair/right')
    expect(left.value).toEqual(right.value)
    expect(Number(left.value)).toBeGreaterThanOrEqual(acknowledged)
    const statuses = await Promise.all(fresh.members.map((member) => member.ready()))
    // The cluster notes who its members are, at revisions of its own.
    for (const { revision } of statuses)
      expect(revision).toBeGreaterThanOrEqual(taken.groups[0].revision + 1_000_000)
    expect((await run(fresh.url, 'put', 'after', 'restore')).code).toBe(0)
    expect((await run(fresh.url, 'check', 'replicas')).out.match(/: the same/g)).toHaveLength(3)

    await refusesOldMember(fresh, restored.clusterId, ports, members)
    await fresh.stop()
  })

  test('that is torn, or has a byte that is another, is refused with file and offset', async () => {
    const whole = readFileSync(join(folder, 'store.backup'))
    const damaged = Buffer.from(whole)
    const middle = damaged.length >> 1
    damaged.writeUInt8(damaged.readUInt8(middle) ^ 1, middle)
    writeFileSync(join(folder, 'damaged.backup'), damaged)
    writeFileSync(join(folder, 'torn.backup'), whole)
    truncateSync(join(folder, 'torn.backup'), whole.length - 7)
    for (const name of ['damaged', 'torn']) {
      const file = `${name}.backup`
      const members = ['--members', '1=127.0.0.1:1']
      for (const args of [
        ['backup', 'verify', file],
        ['restore', file, '--data', name, ...members],
      ]) {
        const { code, error } = await run('', ...args)
        expect(code).toBe(1)
        expect(error).toMatch(new RegExp(`${file} at offset \\d+: .*\\[corrupt\\]`))
      }
    }
  })

  test('is not restored into a folder that holds data', async () => {
    const args = ['restore', 'store.backup', '--members', '1=127.0.0.1:1', '--data', 'new']
    const { code, error } = await run('', ...args, '--cluster-id', 'another')
    expect(code).toBe(1)
    expect(error).toMatch(/new\/node-1 holds a node's data already: .*\[conflict\]/)
  })
})

/** A member of the old cluster, started on a new member's address, gets nowhere with the two others. */
async function refusesOldMember(
  fresh: NodeCluster,
  clusterId: string,
  ports: readonly number[],
  members: string,
): Promise<void> {
  const stray = old.member(3)
  await fresh.member(3).stop()
  const place = ['--id', '3', '--members', members, '--cluster', 'proof', '--data', stray.dataFolder]
  const child = Child.command(['node', ...place, '--listen', `127.0.0.1:${ports[2]}`])
  await child.event({ event: 'listening' })
  // It knows the old addresses only; the members call it at the one that it has taken, and it is not the node that they look for.
  await eventually('it and the members are strangers', () =>
    child.errors.includes(`belongs to cluster ${clusterId}, this node to proof`),
  )
  expect((await run(fresh.url, 'put', 'still', 'served')).code).toBe(0)
  await child.kill()
  fresh.member(3).start()
  await fresh.ready()
}
