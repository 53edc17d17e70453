import { describe, expect, test } from 'vitest'
import { type DatagramSocket, datagramQueueBytesMax, maxDatagramBytes } from '../../contracts/world.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { Simulation } from './simulation.ts'

interface Pair {
  readonly simulation: Simulation
  readonly b: SimulatedProcess
  readonly received: number[]
  readonly froms: Set<string>
  send(number: number, byteCount?: number): void
  socket(): DatagramSocket
}

/** `a` sends to `b:53`. */
async function pair(seed = 1): Promise<Pair> {
  const simulation = new Simulation({ seed })
  const received: number[] = []
  const froms = new Set<string>()
  let sender: DatagramSocket | undefined
  const b = simulation.process('b', async (world) => {
    const socket = await world.datagrams.bind('0.0.0.0:53')
    socket.handle((packet, from) => {
      received.push(new DataView(packet.buffer, packet.byteOffset).getUint32(0))
      froms.add(from)
      if (packet.byteLength === 4) socket.send(packet, from)
    })
  })
  simulation.process('a', async (world) => {
    sender = await world.datagrams.bind('a:0')
  })
  await simulation.runUntil(5)
  const socket = (): DatagramSocket => sender as DatagramSocket
  const send = (number: number, byteCount = 4): void => {
    const packet = new Uint8Array(byteCount)
    new DataView(packet.buffer).setUint32(0, number)
    socket().send(packet, 'b:53')
  }
  return { simulation, b, received, froms, send, socket }
}

describe('a datagram', () => {
  test('goes there and, to the address it came from, back', async () => {
    const { simulation, received, froms, send, socket } = await pair()
    const back: number[] = []
    socket().handle((packet, from) => {
      expect(from).toBe('b:53')
      back.push(packet.byteLength)
    })
    send(7)
    await simulation.runUntil(20)
    expect(received).toEqual([7])
    expect([...froms]).toEqual([socket().address])
    expect(back).toEqual([4])
  })

  test('is lost, doubled and overtaken as the link says', async () => {
    const { simulation, received, send } = await pair()
    simulation.network.setBase({ lossRate: 0.2, duplicateRate: 0.2, reorderRate: 0.2 })
    for (let i = 0; i < 500; i++) simulation.after(i, () => send(i))
    await simulation.runUntil(2_000)
    const distinct = new Set(received)
    expect(distinct.size).toBeGreaterThan(350)
    expect(distinct.size).toBeLessThan(490)
    expect(received.length).toBeGreaterThan(distinct.size + 20)
    expect(received.some((number, i) => i > 0 && number < (received[i - 1] as number))).toBe(true)
  })

  test('does not cross a partition, nor reach a machine that is down, and none comes late', async () => {
    const { simulation, b, received, send } = await pair()
    const undo = simulation.network.partition(['a'], ['b'])
    send(1)
    await simulation.runUntil(1_000)
    undo()
    send(2)
    await simulation.runUntil(2_000)
    b.crash()
    send(3)
    await simulation.runUntil(3_000)
    b.start()
    await simulation.runUntil(4_000)
    send(4)
    await simulation.runUntil(5_000)
    expect(received).toEqual([2, 4])
  })

  test('waits for a process that stands still as long as its buffer has room; the rest is lost', async () => {
    const { simulation, b, received, send } = await pair()
    b.pause()
    for (let i = 0; i < 40; i++) send(i, 60_000)
    await simulation.runUntil(1_000)
    b.resume()
    await simulation.runUntil(2_000)
    expect(received.length).toBe(Math.floor(datagramQueueBytesMax / 60_000))
  })

  test('over the limit is refused, an address is bound once, and a closed socket sends nothing', async () => {
    const { simulation, received, send, socket } = await pair()
    expect(() => send(1, maxDatagramBytes + 1)).toThrow(expect.objectContaining({ code: 'too-large' }))
    let code: string | undefined
    simulation.process('c', (world) =>
      world.datagrams.bind('b:53').then(undefined, (error: { code: string }) => void (code = error.code)),
    )
    await simulation.runUntil(100)
    expect(code).toBe('unavailable')
    void socket().close()
    send(2)
    await simulation.runUntil(200)
    expect(received).toEqual([])
  })
})
