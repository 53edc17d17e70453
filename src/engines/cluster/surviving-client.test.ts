import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { Member } from '../../replication/peer-transport.ts'
import { openClusterStore } from './cluster-store.ts'
import { connectLeaseStore } from './renewal-thread.ts'
import { encodeReply, methods, replyStatus } from './protocol.ts'
import { type Answer, commandAnswers, unavailable, withScriptedNodes } from './scripted-node.test-support.ts'

const put = { op: 'put', key: 'k', value: bytesFromText('v') } as const
const write = (store: Store, timeoutMs = 5_000) => store.txn({ then: [put] }, { timeoutMs })
const member = (id: number): Member => ({ id, address: `node${id}:7400` })
const pause = (world: World, ms: number) =>
  new Promise<void>((resolve) => void world.timers.after(ms, resolve))
const emptyRange = [5, [], 0, false]
const reads: Answer = ({ method }) => (method === methods.range ? emptyRange : undefined)

const open = (world: World, ...ids: number[]) =>
  openClusterStore(world, { endpoints: ids.map((id) => `node${id}:7400`) })

describe('finding a node', () => {
  test('several silent endpoints cost tenths of a second, not the time limit of each', async () => {
    await withScriptedNodes(4, async (world, nodes, simulation) => {
      for (const node of nodes) node.isGreeting = false
      const alive = nodes[3]
      if (alive === undefined) return
      alive.isGreeting = true
      alive.members = [member(4)]
      alive.answer = commandAnswers()
      const store = open(world, 1, 2, 3, 4)
      const startMs = simulation.nowMs
      await write(store)
      expect(simulation.nowMs - startMs).toBeLessThan(500)
      await store.close()
    })
  })

  test('what does not speak the protocol is named, and not called again and again', async () => {
    await withScriptedNodes(1, async (world, _nodes, simulation) => {
      const startMs = simulation.nowMs
      const dialledMs: number[] = []
      const foreign = new AlthingError('unavailable', 'web:80: it speaks something else', {
        details: { isForeign: true },
      })
      const network: World['network'] = {
        listen: (address, accept) => world.network.listen(address, accept),
        connect: () => {
          dialledMs.push(simulation.nowMs - startMs)
          return Promise.reject(foreign)
        },
      }
      const store = openClusterStore({ ...world, network }, { endpoints: ['web:80'] })
      for (let n = 0; n < 2; n++)
        await expect(write(store)).rejects.toMatchObject({
          code: 'unavailable',
          message: expect.stringContaining('it speaks something else: is it the address for HTTP?') as string,
        })
      expect(simulation.nowMs - startMs).toBeGreaterThan(9_000)
      expect(dialledMs).toHaveLength(2)
      expect(dialledMs[1]).toBeGreaterThanOrEqual(5_000)
      await store.close()
    })
  })

  test('a node that refuses what the caller shows is heard, when no other can be reached', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      if (node === undefined) return
      node.refusal = new AlthingError('unauthenticated', 'the token is not valid', { outcome: 'none' })
      const store = open(world, 1, 7)
      await expect(write(store)).rejects.toMatchObject({ code: 'unauthenticated', outcome: 'none' })
      await store.close()
    })
  })
})

describe('following the members', () => {
  test('goes on when every endpoint that was given has gone', async () => {
    await withScriptedNodes(3, async (world, nodes) => {
      const [first, second, third] = nodes
      if (first === undefined || second === undefined || third === undefined) return
      for (const node of nodes) node.answer = commandAnswers()
      first.members = [member(1), member(2)]
      const store = open(world, 1)
      await write(store)
      second.members = [member(2), member(3)]
      second.membersVersion = 9
      first.die()
      await write(store)
      second.die()
      expect((await write(store)).revision).toBe(2)
      expect(third.requests.length).toBeGreaterThan(0)
      await store.close()
    })
  })

  test('a member that left is let go as soon as any node tells of it, and its calls are made elsewhere', async () => {
    await withScriptedNodes(2, async (world, [leaving, staying], simulation) => {
      if (leaving === undefined || staying === undefined) return
      for (const node of [leaving, staying]) node.answer = commandAnswers()
      leaving.leader = staying.leader = 1
      const store = open(world, 1, 2)
      await store.range({ key: 'k' }, { consistency: 'serializable', timeoutMs: 300 }).catch(() => undefined)
      await write(store)
      leaving.answer = () => undefined
      const startMs = simulation.nowMs
      const writing = write(store)
      await pause(world, 20)
      staying.tellMembers([member(2)], 12)
      expect((await writing).revision).toBe(2)
      expect(simulation.nowMs - startMs).toBeLessThan(200)
      expect(leaving.open.size).toBe(0)
      await store.close()
    })
  })

  test('an answer `not-member` turns the call to another node', async () => {
    await withScriptedNodes(2, async (world, [removed, other]) => {
      if (removed === undefined || other === undefined) return
      removed.answer = () => new AlthingError('not-member', 'this node was removed', { outcome: 'none' })
      other.answer = commandAnswers()
      const store = open(world, 1, 2)
      expect((await write(store)).revision).toBe(2)
      expect(removed.open.size).toBe(0)
      await store.close()
    })
  })
})

describe('a node that has too much to do', () => {
  const overloaded = (retryAfterMs: number) =>
    new AlthingError('overloaded', 'too many requests', { outcome: 'none', details: { retryAfterMs } })

  test('is left alone for as long as it asks', async () => {
    await withScriptedNodes(1, async (world, [node], simulation) => {
      if (node === undefined) return
      const answers = commandAnswers()
      node.answer = answers
      const store = open(world, 1)
      await write(store)
      const startMs = simulation.nowMs
      let asked = 0
      node.answer = (...args) => (++asked === 1 ? overloaded(1_200) : answers(...args))
      await write(store)
      expect(asked).toBe(2)
      expect(simulation.nowMs - startMs).toBeGreaterThanOrEqual(1_200)
      expect(simulation.nowMs - startMs).toBeLessThan(1_600)
      await store.close()
    })
  })

  test('for longer than the caller will wait: the call ends at once with the reason', async () => {
    await withScriptedNodes(1, async (world, [node], simulation) => {
      if (node === undefined) return
      node.answer = commandAnswers()
      const store = open(world, 1)
      await write(store)
      node.answer = () => overloaded(20_000)
      const startMs = simulation.nowMs
      await expect(write(store, 3_000)).rejects.toMatchObject({ code: 'overloaded', outcome: 'none' })
      expect(simulation.nowMs - startMs).toBeLessThan(100)
      await store.close()
    })
  })
})

describe('what a store refuses', () => {
  test.each(['no-space', 'unauthenticated', 'permission-denied'] as const)(
    '%s is an answer, and not asked for again',
    async (code) => {
      await withScriptedNodes(1, async (world, [node]) => {
        if (node === undefined) return
        const answers = commandAnswers()
        let refused = 0
        node.answer = (request, command) => {
          if (command?.type !== 'txn') return answers(request, command)
          refused++
          return new AlthingError(code, 'refused', { outcome: 'none' })
        }
        const store = open(world, 1)
        await expect(write(store)).rejects.toMatchObject({ code, outcome: 'none' })
        expect(refused).toBe(1)
        await store.close()
      })
    },
  )

  test('a full disk of one node is not the whole store: the call is made again', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      if (node === undefined) return
      const answers = commandAnswers()
      let refused = 0
      node.answer = (request, command) =>
        command?.type === 'txn' && ++refused === 1
          ? new AlthingError('no-space', 'the disk of this node is full', {
              outcome: 'none',
              retryable: true,
            })
          : answers(request, command)
      const store = open(world, 1)
      expect((await write(store)).revision).toBe(2)
      await store.close()
    })
  })
})

describe('a read of any copy', () => {
  test('is spread over the nodes that answer fastest, and leaves the leader to those that need it', async () => {
    await withScriptedNodes(3, async (world, nodes) => {
      for (const node of nodes) {
        node.leader = 1
        node.answer = reads
      }
      const store = open(world, 1)
      const read = () => store.range({ key: 'k' }, { consistency: 'serializable' })
      await read()
      await pause(world, 200)
      await Promise.all(Array.from({ length: 60 }, read))
      for (const node of nodes) expect(node.count(methods.range)).toBeGreaterThan(5)
      const before = nodes.map((node) => node.count(methods.range))
      for (let i = 0; i < 10; i++) await store.range({ key: 'k' })
      expect(nodes.map((node, i) => node.count(methods.range) - (before[i] as number))).toEqual([10, 0, 0])
      await store.close()
    })
  })

  test('is served by a node that is cut off from the others', async () => {
    await withScriptedNodes(1, async (world, [cutOff]) => {
      if (cutOff === undefined) return
      cutOff.answer = (request) =>
        request.method === methods.range && (request.body as unknown[])[1] === 'serializable'
          ? emptyRange
          : unavailable()
      const store = open(world, 1)
      await expect(store.range({ key: 'k' }, { timeoutMs: 300 })).rejects.toMatchObject({
        code: 'unavailable',
      })
      expect((await store.range({ key: 'k' }, { consistency: 'serializable' })).revision).toBe(5)
      await store.close()
    })
  })

  test('that one node cannot serve is asked of another', async () => {
    await withScriptedNodes(2, async (world, [without, other]) => {
      if (without === undefined || other === undefined) return
      without.answer = () => new AlthingError('unavailable', 'no copy of the group here')
      other.answer = reads
      const store = open(world, 1, 2)
      for (let i = 0; i < 5; i++)
        expect((await store.range({ key: 'k' }, { consistency: 'serializable' })).revision).toBe(5)
      expect(without.count(methods.range)).toBeLessThanOrEqual(2)
      await store.close()
    })
  })
})

describe('a watch', () => {
  test('goes on at another node from the next revision, each event once', async () => {
    await withScriptedNodes(2, async (world, [first, second]) => {
      if (first === undefined || second === undefined) return
      const asked: number[] = []
      for (const node of [first, second]) {
        node.leader = 1
        node.answer = ({ id, method, body }) => {
          if (method !== methods.watch) return undefined
          const from = (body as unknown[])[2] as number
          asked.push(from)
          const send = (batch: unknown) =>
            [...node.open].at(-1)?.send(encodeReply(id, replyStatus.more, [true, batch]))
          send(['created', 10])
          send(['events', asked.length === 1 ? 7 : 8, [['a', asked.length === 1 ? 7 : 8, null]]])
          return undefined
        }
      }
      const store = open(world, 1, 2)
      const watch = store.watch({ key: '', end: null, fromRevision: 7 })[Symbol.asyncIterator]()
      expect((await watch.next()).value).toMatchObject({ kind: 'created' })
      expect((await watch.next()).value).toMatchObject({ kind: 'events', revision: 7 })
      first.die()
      expect((await watch.next()).value).toMatchObject({ kind: 'events', revision: 8 })
      expect(asked).toEqual([7, 8])
      await store.close()
    })
  })

  test('whose history was compacted meanwhile is told all there is, and goes on after it', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      if (node === undefined) return
      const asked: number[] = []
      node.answer = ({ id, method, body }) => {
        if (method !== methods.watch) return undefined
        asked.push((body as unknown[])[2] as number)
        const connection = [...node.open].at(-1)
        const send = (batch: unknown) => connection?.send(encodeReply(id, replyStatus.more, [true, batch]))
        send(['created', 40])
        if (asked.length === 1) {
          send(['resync', 40, 3, [['a', bytesFromText('v'), 30, 30, 1, 0]]])
          connection?.close()
        } else send(['events', 41, [['a', 41, null]]])
        return undefined
      }
      const store = open(world, 1)
      const watch = store.watch({ key: '', end: null, fromRevision: 3 })[Symbol.asyncIterator]()
      await watch.next()
      expect((await watch.next()).value).toMatchObject({ kind: 'resync', revision: 40, kvs: [{ key: 'a' }] })
      expect((await watch.next()).value).toMatchObject({ kind: 'events', revision: 41 })
      expect(asked).toEqual([3, 41])
      await store.close()
    })
  })

  test.each(['unauthenticated', 'permission-denied'] as const)(
    'that may not be set ends with %s',
    async (code) => {
      await withScriptedNodes(1, async (world, [node]) => {
        if (node === undefined) return
        node.answer = () => new AlthingError(code, 'refused')
        const store = open(world, 1)
        await expect(store.watch({ key: 'k' })[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code })
        expect(node.count(methods.watch)).toBe(1)
        await store.close()
      })
    },
  )
})

describe('renewals from their thread', () => {
  test('go on by what the nodes told when every endpoint that was given has gone', async () => {
    await withScriptedNodes(2, async (world, [first, second]) => {
      if (first === undefined || second === undefined) return
      for (const node of [first, second])
        node.answer = ({ method }) => (method === methods.keepLeaseAlive ? [3, 10_000] : undefined)
      const store = connectLeaseStore(world, { endpoints: ['node1:7400'] })
      await store.keepLeaseAlive(3, { timeoutMs: 1_000 })
      first.die()
      await store.keepLeaseAlive(3, { timeoutMs: 3_000 })
      expect(second.count(methods.keepLeaseAlive)).toBe(1)
    })
  })
})
