import { describe, expect, test } from 'vitest'
import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { decodeCommand } from '../../models/store/codec.ts'
import { encodeStoreReply } from '../../models/store/wire.ts'
import { openClusterStore } from './cluster-store.ts'
import { methods, replyStatus, encodeReply } from './protocol.ts'
import { commandAnswers, unavailable, withScriptedNodes } from './scripted-node.test-support.ts'

const put = { op: 'put', key: 'k', value: bytesFromText('v') } as const
const write = (store: Store, timeoutMs?: number) =>
  store.txn({ then: [put] }, timeoutMs === undefined ? {} : { timeoutMs })

function open(world: World, size = 3): ReturnType<typeof openClusterStore> {
  const endpoints = Array.from({ length: size }, (_, i) => `node${i + 1}:7400`)
  return openClusterStore(world, { endpoints })
}

describe('a call', () => {
  test('turns from a node that knows no leader to one that does', async () => {
    await withScriptedNodes(3, async (world, [cutOff, ...others]) => {
      if (cutOff === undefined) return
      cutOff.answer = unavailable
      for (const node of others) node.answer = commandAnswers()
      const store = open(world)
      expect((await write(store, 2_000)).revision).toBe(2)
      const asked = cutOff.requests.length
      for (let i = 0; i < 20; i++) await write(store)
      expect(cutOff.requests.length).toBe(asked)
      await store.close()
    })
  })

  test('goes to the leader that the nodes name, and leaves it when it is silent', async () => {
    await withScriptedNodes(3, async (world, nodes) => {
      for (const node of nodes) {
        node.leader = 2
        node.answer = commandAnswers()
      }
      const store = open(world)
      await write(store)
      await new Promise<void>((resolve) => world.timers.after(100, resolve))
      const before = nodes[1]?.requests.length ?? 0
      for (let i = 0; i < 5; i++) await write(store)
      expect(nodes[1]?.requests.length).toBe(before + 5)
      if (nodes[1] !== undefined) nodes[1].answer = () => undefined
      expect((await write(store)).revision).toBe(2)
      await store.close()
    })
  })

  test('passes over an endpoint that swallows everything', async () => {
    await withScriptedNodes(3, async (world, nodes, simulation) => {
      for (const node of nodes) node.answer = commandAnswers()
      if (nodes[0] !== undefined) nodes[0].isGreeting = false
      const store = open(world)
      const startMs = simulation.nowMs
      await write(store)
      expect(simulation.nowMs - startMs).toBeLessThan(2_000)
      const laterMs = simulation.nowMs
      for (let i = 0; i < 10; i++) await write(store)
      expect(simulation.nowMs - laterMs).toBeLessThan(500)
      await store.close()
    })
  })

  test('fails within its time when no node can be reached: it surely did not happen', async () => {
    await withScriptedNodes(0, async (world, _, simulation) => {
      const store = open(world)
      const startMs = simulation.nowMs
      await expect(write(store, 700)).rejects.toMatchObject({ code: 'unavailable', outcome: 'none' })
      expect(simulation.nowMs - startMs).toBeLessThan(800)
      await store.close()
    })
  })

  test('sends the same stamped command again, and keeps the outcome open once an answer was lost', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      if (node === undefined) return
      const opening = commandAnswers()
      node.answer = (request, command) =>
        command?.type === 'openSession' ? opening(request, command) : undefined
      const store = open(world, 1)
      await expect(write(store, 6_000)).rejects.toMatchObject({ outcome: 'unknown' })
      const commands = node.requests
        .filter(({ method }) => method === methods.mutate)
        .map(({ body }) => decodeCommand(body as Uint8Array))
        .filter(({ type }) => type === 'txn')
      expect(commands.length).toBeGreaterThan(1)
      for (const command of commands) expect(command).toEqual(commands[0])
      await store.close()
    })
  })

  test('that the store refused is not repeated', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      if (node === undefined) return
      const opening = commandAnswers()
      const refusal = new AlthingError('lease-not-found', 'gone', { outcome: 'none' }).toJSON()
      node.answer = (request, command) =>
        command?.type === 'openSession'
          ? opening(request, command)
          : encodeStoreReply({ ok: false, error: refusal })
      const store = open(world, 1)
      await expect(write(store)).rejects.toMatchObject({ code: 'lease-not-found', outcome: 'none' })
      expect(node.count(methods.mutate)).toBe(2)
      await store.close()
    })
  })

  test('ends with `closed` when the store is closed, at once', async () => {
    await withScriptedNodes(1, async (world, [node], simulation) => {
      if (node === undefined) return
      const store = open(world, 1)
      node.answer = commandAnswers()
      await write(store)
      node.answer = () => undefined
      const writing = expect(write(store)).rejects.toMatchObject({ code: 'closed', outcome: 'unknown' })
      const reading = expect(store.range({ key: 'k' })).rejects.toMatchObject({ code: 'closed' })
      await new Promise<void>((resolve) => world.timers.after(50, resolve))
      const startMs = simulation.nowMs
      await store.close()
      await writing
      await reading
      expect(simulation.nowMs - startMs).toBeLessThan(10)
      await expect(write(store)).rejects.toMatchObject({ code: 'closed', outcome: 'none' })
    })
  })
})

describe('the session', () => {
  test('is opened within the time and the signal of each call that needs it', async () => {
    await withScriptedNodes(1, async (world, _, simulation) => {
      const store = open(world, 1)
      const startMs = simulation.nowMs
      const controller = new AbortController()
      const aborted = expect(store.txn({ then: [put] }, { signal: controller.signal })).rejects.toMatchObject(
        {
          code: 'aborted',
          outcome: 'none',
        },
      )
      await expect(write(store, 300)).rejects.toMatchObject({ code: 'timeout', outcome: 'none' })
      expect(simulation.nowMs - startMs).toBeLessThan(310)
      controller.abort()
      await aborted
      await store.close()
    })
  })

  test('that was evicted is opened anew, and the command that noticed it goes out again', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      if (node === undefined) return
      const sessions = { last: 0 }
      const answers = commandAnswers(sessions)
      const expired = new AlthingError('session-expired', 'evicted', { outcome: 'unknown' }).toJSON()
      node.answer = (request, command) =>
        command?.type === 'txn' && command.session === 1 && isEvicted
          ? encodeStoreReply({ ok: false, error: expired })
          : answers(request, command)
      let isEvicted = false
      const store = open(world, 1)
      await write(store)
      isEvicted = true
      expect((await write(store)).revision).toBe(2)
      expect(sessions.last).toBe(2)
      await store.close()
    })
  })

  test('that was lost after an answer was lost leaves the outcome open', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      if (node === undefined) return
      const answers = commandAnswers()
      const expired = new AlthingError('session-expired', 'evicted', { outcome: 'unknown' }).toJSON()
      let attempts = 0
      node.answer = (request, command) => {
        if (command?.type !== 'txn') return answers(request, command)
        return ++attempts === 1 ? undefined : encodeStoreReply({ ok: false, error: expired })
      }
      const store = open(world, 1)
      await expect(write(store)).rejects.toMatchObject({ code: 'session-expired', outcome: 'unknown' })
      expect(attempts).toBe(2)
      await store.close()
    })
  })

  test('takes the bytes of the moment of the call', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      if (node === undefined) return
      node.answer = commandAnswers()
      const store = open(world, 1)
      const value = bytesFromText('good')
      const writing = store.txn({ then: [{ op: 'put', key: 'k', value }] })
      value.fill(0)
      await writing
      const command = decodeCommand(node.requests.at(-1)?.body as Uint8Array)
      const [operation] = command.type === 'txn' ? command.then : []
      expect(operation?.op === 'put' && textFromBytes(operation.value)).toBe('good')
      await store.close()
    })
  })
})

describe('a watch', () => {
  test('turns from a node that cannot set it to another', async () => {
    await withScriptedNodes(2, async (world, [cutOff, good]) => {
      if (cutOff === undefined || good === undefined) return
      cutOff.answer = unavailable
      good.answer = (request) => {
        if (request.method !== methods.watch) return undefined
        good.connections[0]?.send(encodeReply(request.id, replyStatus.more, [true, ['created', 5]]))
        return undefined
      }
      const store = open(world, 2)
      const reader = store.watch({ key: 'k' })[Symbol.asyncIterator]()
      expect((await reader.next()).value).toEqual({ kind: 'created', revision: 5 })
      await store.close()
    })
  })

  test('joins a batch that comes in parts, and begins it anew after a break between them', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      if (node === undefined) return
      const event = (key: string) => [key, 7, null]
      const asked: unknown[] = []
      node.answer = ({ id, method, body }) => {
        if (method !== methods.watch) return undefined
        asked.push((body as unknown[])[2])
        const connection = node.connections.at(-1)
        const send = (part: unknown) => connection?.send(encodeReply(id, replyStatus.more, part))
        send([true, ['created', 5]])
        send([false, ['events', 7, [event('a')]]])
        if (asked.length === 1) connection?.close()
        else send([true, ['events', 7, [event('b')]]])
        return undefined
      }
      const store = open(world, 1)
      const reader = store.watch({ key: '', end: null, fromRevision: 6 })[Symbol.asyncIterator]()
      expect((await reader.next()).value).toEqual({ kind: 'created', revision: 5 })
      const { value } = await reader.next()
      expect(value).toMatchObject({ kind: 'events', revision: 7, events: [{ key: 'a' }, { key: 'b' }] })
      expect(asked).toEqual([6, 6])
      await store.close()
    })
  })

  test('with a bad request ends with the reason, and no node is asked', async () => {
    await withScriptedNodes(1, async (world, [node]) => {
      const store = open(world, 1)
      for (const request of [
        { key: 'k', fromRevision: 0 },
        { key: '\u0100' },
        { key: 'k', progressMs: Number.NaN },
      ])
        await expect(store.watch(request)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
          code: 'invalid-argument',
        })
      expect(node?.requests).toEqual([])
      await store.close()
    })
  })
})
