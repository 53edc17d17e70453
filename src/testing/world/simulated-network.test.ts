import { describe, expect, test } from 'vitest'
import type { Connection, ConnectOptions, World } from '../../contracts/world.ts'
import { maxFrameBytes } from '../../contracts/world.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { Simulation } from './simulation.ts'

interface End {
  connection: Connection | undefined
  readonly frames: number[]
  readonly times: number[]
  closed: { error: Error | undefined; atMs: number } | undefined
  drainedCount: number
}

interface Pair {
  readonly simulation: Simulation
  readonly client: End
  readonly server: End
  readonly a: SimulatedProcess
  readonly b: SimulatedProcess
  send(end: End, ...numbers: number[]): void
}

function watch(simulation: Simulation, end: End, connection: Connection): void {
  end.connection = connection
  connection.handle({
    frame(frame) {
      end.frames.push(new DataView(frame.buffer, frame.byteOffset).getUint32(0))
      end.times.push(simulation.nowMs)
    },
    closed(error) {
      expect(end.closed).toBeUndefined()
      end.closed = { error, atMs: simulation.nowMs }
    },
    drained() {
      end.drainedCount++
    },
  })
}

/** `a` is connected to `b`, at 10 ms. */
async function pair(seed = 1, options: ConnectOptions = {}): Promise<Pair> {
  const simulation = new Simulation({ seed })
  const newEnd = (): End => ({
    connection: undefined,
    frames: [],
    times: [],
    closed: undefined,
    drainedCount: 0,
  })
  const [client, server] = [newEnd(), newEnd()]
  const b = simulation.process('b', async (world) => {
    await world.network.listen('b:1', (connection) => watch(simulation, server, connection))
  })
  await simulation.runUntil(5)
  const a = simulation.process('a', async (world) =>
    watch(simulation, client, await world.network.connect('b:1', options)),
  )
  await simulation.runUntil(10)
  const send = (end: End, ...numbers: number[]): void => {
    for (const number of numbers) end.connection?.send(numbered(number))
  }
  return { simulation, client, server, a, b, send }
}

function numbered(number: number, length = 4): Uint8Array {
  const frame = new Uint8Array(length)
  new DataView(frame.buffer).setUint32(0, number)
  return frame
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** What `connect` of a fresh process comes to, and when. */
async function connecting(simulation: Simulation, address: string, options: ConnectOptions = {}) {
  const startMs = simulation.nowMs
  let result: string | undefined
  const name = `caller${simulation.processes.length}`
  simulation.process(name, (world) =>
    world.network.connect(address, options).then(
      () => void (result = 'connected'),
      (error: { code: string }) => void (result = error.code),
    ),
  )
  await simulation.runUntil(() => result !== undefined)
  return { result, tookMs: simulation.nowMs - startMs }
}

describe('a stream', () => {
  test('delivers in order, without gap or double, through loss, delay and reordering links', async () => {
    const { simulation, client, server, send } = await pair()
    simulation.network.setBase({ lossRate: 0.2, delayMsMean: 20, reorderRate: 0.5, duplicateRate: 0.5 })
    for (let i = 0; i < 200; i++) simulation.after(i, () => send(client, 2 * i, 2 * i + 1))
    await simulation.runUntil(60_000)
    expect(server.frames).toEqual(upTo(400))
    expect(server.times[1]).toBe(server.times[0])
  })

  test('closes in good order after what was sent, on both sides without an error', async () => {
    const { simulation, client, server, send } = await pair()
    send(client, 1, 2)
    client.connection?.close()
    client.connection?.close()
    send(client, 3)
    await simulation.runUntil(100)
    expect(server.frames).toEqual([1, 2])
    expect([client.closed?.error, server.closed?.error]).toEqual([undefined, undefined])
    expect([client.closed, server.closed].every((closed) => closed !== undefined)).toBe(true)
    expect(simulation.network.connectionCount).toBe(0)
  })

  test('a break loses a tail of what is under way, and each side learns at its own time', async () => {
    const received = new Set<number>()
    const gaps = new Set<boolean>()
    for (let seed = 0; seed < 20; seed++) {
      const { simulation, client, server, send } = await pair(seed)
      simulation.network.setBase({ delayMsMin: 50 })
      for (let i = 0; i < 5; i++) simulation.after(i, () => send(client, i))
      await simulation.runUntil(20)
      expect(simulation.network.breakConnections('a', 'b')).toBe(1)
      await simulation.runUntil(3_000)
      expect(server.frames).toEqual(upTo(server.frames.length))
      received.add(server.frames.length)
      expect([client.closed?.error, server.closed?.error]).toEqual([expect.any(Error), expect.any(Error)])
      gaps.add(client.closed?.atMs === server.closed?.atMs)
    }
    expect(received.size).toBeGreaterThan(3)
    expect([...gaps]).toEqual([false])
  })

  test('waits through a short partition, and delivers after it', async () => {
    const { simulation, client, server, send } = await pair()
    const undo = simulation.network.partition(['a'], ['b'])
    send(client, 0)
    simulation.after(10, () => send(client, 1))
    await simulation.runUntil(3_000)
    expect(server.frames).toEqual([])
    undo()
    await simulation.runUntil(10_000)
    expect(server.frames).toEqual([0, 1])
    expect([client.closed, server.closed]).toEqual([undefined, undefined])
  })

  test('what was held up by a partition is not overtaken by what was sent later', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { simulation, client, server, send } = await pair(seed)
      simulation.network.impair({ from: () => true, to: () => true, conditions: { delayMsMean: 40 } })
      const heal = simulation.network.partition(['a'], ['b'])
      for (let number = 1; number <= 40; number++) {
        send(client, number)
        await simulation.runUntil(simulation.nowMs + 5)
        if (number === 20) heal()
      }
      await simulation.runUntil(simulation.nowMs + 3_000)
      expect(server.frames, `seed ${seed}`).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    }
  })

  test('what a loss of power takes is the end of what was sent, also where a part of it was held up', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { simulation, client, server, a, send } = await pair(seed)
      simulation.network.impair({ from: () => true, to: () => true, conditions: { delayMsMean: 60 } })
      let undo: (() => void) | undefined
      for (let number = 1; number <= 28; number++) {
        if (number % 10 === 5) undo = simulation.network.blockOneWay(['a'], ['b'])
        else if (number % 10 === 0) undo?.()
        send(client, number)
        await simulation.runUntil(simulation.nowMs + 20)
      }
      a.crash('power')
      undo?.()
      await simulation.runUntil(simulation.nowMs + 5_000)
      expect(server.frames, `seed ${seed}`).toEqual(server.frames.map((_, i) => i + 1))
    }
  })

  test('is given up in a long partition by each side at its own time', async () => {
    const { simulation, client, server } = await pair()
    simulation.network.isolate('a')
    await simulation.runUntil(7_000)
    expect([client.closed, server.closed]).toEqual([undefined, undefined])
    await simulation.runUntil(25_000)
    expect([client.closed?.error, server.closed?.error]).toEqual([expect.any(Error), expect.any(Error)])
    expect(client.closed?.atMs).not.toBe(server.closed?.atMs)
  })

  test('a one-way partition stops one direction only', async () => {
    const { simulation, client, server, send } = await pair()
    simulation.network.blockOneWay(['a'], ['b'])
    send(client, 1)
    send(server, 2)
    await simulation.runUntil(1_000)
    expect([client.frames, server.frames]).toEqual([[2], []])
  })

  test('a killed process is heard of soon; a machine that lost power only when it is back', async () => {
    const killed = await pair()
    killed.b.crash('kill')
    await killed.simulation.runUntil(100)
    expect(killed.client.closed?.error).toBeInstanceOf(Error)
    const dark = await pair()
    dark.b.crash('power')
    await dark.simulation.runUntil(5_000)
    expect(dark.client.closed).toBeUndefined()
    dark.b.start()
    await dark.simulation.runUntil(7_000)
    expect(dark.client.closed?.error).toBeInstanceOf(Error)
  })

  test('a frame over the limit closes it on both sides', async () => {
    const { simulation, client, server } = await pair()
    client.connection?.send(numbered(1, maxFrameBytes))
    client.connection?.send(numbered(2, maxFrameBytes + 1))
    await simulation.runUntil(1_000)
    expect(server.frames).toEqual([1])
    expect(server.closed?.error).toMatchObject({ code: 'too-large' })
    expect(client.closed?.error).toBeInstanceOf(Error)
  })

  test('queues what a receiver that stands still does not take, and says when all is taken', async () => {
    const { simulation, client, server, b } = await pair()
    b.pause()
    for (let i = 0; i < 10; i++) client.connection?.send(numbered(i, 64 * 1024))
    await simulation.runUntil(100)
    expect([client.connection?.queuedBytes, client.drainedCount]).toEqual([6 * 64 * 1024, 0])
    b.resume()
    await simulation.runUntil(200)
    expect(server.frames).toEqual(upTo(10))
    expect([client.connection?.queuedBytes, client.drainedCount]).toEqual([0, 1])
  })

  test('a slow link takes the time that the bytes need', async () => {
    const { simulation, client, server } = await pair()
    simulation.network.impair({
      from: (host) => host === 'a',
      to: () => true,
      conditions: { bytesPerMs: 10 },
    })
    for (let i = 0; i < 3; i++) client.connection?.send(numbered(i, 1_000))
    await simulation.runUntil(1_000)
    expect(server.times.map((ms) => Math.round((ms - 10) / 100))).toEqual([1, 2, 3])
  })

  test('a receiver cannot change the sender’s bytes', async () => {
    const { simulation, client, server } = await pair()
    const frame = numbered(5)
    client.connection?.send(frame)
    server.connection?.handle({ frame: (bytes) => void bytes.fill(9), closed() {} })
    await simulation.runUntil(100)
    expect(frame).toEqual(numbered(5))
  })
})

describe('datagrams', () => {
  test('may arrive after the end of their connection, which waits for none of them', async () => {
    const { simulation, client, send } = await pair(1, { delivery: 'datagram' })
    simulation.network.impair({ from: () => true, to: () => true, conditions: { delayMsMean: 500 } })
    send(client, 1, 2, 3)
    client.connection?.close()
    await simulation.runUntil(20_000)
    expect(simulation.turn).toBeLessThan(200)
  })

  test('are lost, doubled and overtaken, each on its own', async () => {
    const { simulation, client, server, send } = await pair(1, { delivery: 'datagram' })
    simulation.network.impair({
      from: () => true,
      to: () => true,
      conditions: { lossRate: 0.2, duplicateRate: 0.2, reorderRate: 0.3 },
    })
    for (let i = 0; i < 300; i++) simulation.after(i, () => send(client, i))
    await simulation.runUntil(5_000)
    const distinct = new Set(server.frames).size
    expect(distinct).toBeGreaterThan(200)
    expect(distinct).toBeLessThan(280)
    expect(server.frames.length).toBeGreaterThan(distinct + 20)
    expect(server.frames.some((number, i) => number < (server.frames[i - 1] ?? 0))).toBe(true)
    expect(client.connection?.queuedBytes).toBe(0)
  })

  test('sent into a partition are gone', async () => {
    const { simulation, client, server, send } = await pair(1, { delivery: 'datagram' })
    const undo = simulation.network.partition(['a'], ['b'])
    send(client, 1)
    await simulation.runUntil(500)
    undo()
    send(client, 2)
    await simulation.runUntil(5_000)
    expect(server.frames).toEqual([2])
  })
})

describe('connecting', () => {
  test('is refused where nobody listens, or where the machine refuses', async () => {
    const { simulation } = await pair()
    expect(await connecting(simulation, 'b:2')).toMatchObject({ result: 'unavailable' })
    const undo = simulation.network.refuseConnections('b')
    expect(await connecting(simulation, 'b:1')).toMatchObject({ result: 'unavailable' })
    undo()
    expect(await connecting(simulation, 'b:1')).toMatchObject({ result: 'connected' })
  })

  test('times out behind a partition, in either direction, and to a machine without power', async () => {
    const { simulation, b } = await pair()
    const undoThere = simulation.network.blockOneWay(['caller2'], ['b'])
    expect(await connecting(simulation, 'b:1')).toMatchObject({ result: 'timeout', tookMs: 5_000 })
    undoThere()
    simulation.network.blockOneWay(['b'], ['caller3'])
    expect(await connecting(simulation, 'b:1', { timeoutMs: 300 })).toMatchObject({
      result: 'timeout',
      tookMs: 300,
    })
    simulation.network.heal()
    b.crash('power')
    expect(await connecting(simulation, 'b:1')).toMatchObject({ result: 'timeout' })
  })

  test('tries again within its time, and succeeds once the partition is over', async () => {
    const { simulation } = await pair()
    const undo = simulation.network.isolate('b')
    simulation.after(2_000, undo)
    const { result, tookMs } = await connecting(simulation, 'b:1')
    expect(result).toBe('connected')
    expect(Math.round(tookMs / 1000)).toBe(3)
  })

  test('ends at once when aborted, before or during the attempt', async () => {
    const { simulation } = await pair()
    simulation.network.isolate('b')
    const controller = new AbortController()
    simulation.after(100, () => controller.abort())
    expect(await connecting(simulation, 'b:1', { signal: controller.signal })).toMatchObject({
      result: 'aborted',
      tookMs: 100,
    })
    expect(await connecting(simulation, 'b:1', { signal: controller.signal })).toMatchObject({
      result: 'aborted',
      tookMs: 0,
    })
  })

  test('listening: a taken address is unavailable, port 0 takes a free one, closing ends what was accepted', async () => {
    const { simulation, client } = await pair()
    const log: string[] = []
    const main = async (world: World): Promise<void> => {
      const listener = await world.network.listen('0.0.0.0:0', () => {})
      log.push(listener.address)
      await world.network
        .listen(listener.address, () => {})
        .catch((error: { code: string }) => log.push(error.code))
      await world.network.listen('b:9', () => {}).catch((error: { code: string }) => log.push(error.code))
      await listener.close()
      await world.network.listen(listener.address, () => {})
      log.push('again')
    }
    simulation.process('c', main)
    simulation.process('d', async (world) => {
      const listener = await world.network.listen('d:1', () => {})
      world.timers.after(50, () => void listener.close())
    })
    await simulation.runUntil(20)
    let closed = false
    simulation.process('e', async (world) => {
      const connection = await world.network.connect('d:1')
      connection.handle({ frame() {}, closed: () => void (closed = true) })
    })
    await simulation.runUntil(1_000)
    expect(log).toEqual(['c:49152', 'unavailable', 'unavailable', 'again'])
    expect([closed, client.closed]).toEqual([true, undefined])
  })
})
