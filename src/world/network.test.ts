import net from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Connection, Listener, Logger } from '../contracts/world.ts'
import { joinFrames, prefaceMsMax } from './connection.ts'
import { preface } from './framing.ts'
import { handshakesMax, NodeNetwork } from './network.ts'

const lines: string[] = []
const logger: Logger = {
  log: (level, _message, fields = {}) => {
    lines.push(`${level}: ${String(fields['reason'] ?? fields['error'])}`)
  },
}
const network = new NodeNetwork(logger)
const listeners: Listener[] = []

async function listen(accept: (connection: Connection) => void): Promise<string> {
  const listener = await network.listen('127.0.0.1:0', accept)
  listeners.push(listener)
  return listener.address
}

/** A plain socket that writes `first`, then `second` once a frame has come back, and resolves when the other side has closed. */
function rawClient(address: string, first: Uint8Array, second?: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    let received = 0
    const socket = net.connect(Number(address.split(':')[1]), '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.on('data', (data) => {
      received += data.length
      if (received > preface.length && second !== undefined) socket.write(second)
    })
    socket.write(first)
  })
}

afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close()
  lines.length = 0
  vi.useRealTimers()
})

describe('frames over TCP', () => {
  test('arrive in order, and those of one turn come together', async () => {
    const turns: number[] = []
    const address = await listen((connection) => {
      let inTurn = 0
      connection.handle({
        frame: (frame) => {
          if (inTurn++ === 0) {
            setImmediate(() => {
              turns.push(inTurn)
              inTurn = 0
            })
          }
          connection.send(frame)
        },
        closed: () => {},
      })
    })
    const connection = await network.connect(address)
    const got: number[] = []
    await new Promise<void>((resolve) => {
      connection.handle({
        frame: (frame) => {
          got.push(Buffer.from(frame).readUInt32LE(0))
          if (got.length === 1000) resolve()
        },
        closed: () => {},
      })
      for (let i = 0; i < 1000; i++) {
        const frame = Buffer.alloc(4)
        frame.writeUInt32LE(i, 0)
        connection.send(frame)
      }
      expect(connection.queuedBytes).toBe(12_000)
    })
    expect(got).toEqual([...got.keys()])
    expect(turns.length).toBeLessThan(5)
  })

  test('the system looks after both ends, so that one whose machine is gone does not stay open for ever', async () => {
    const keepAlive = vi.spyOn(net.Socket.prototype, 'setKeepAlive')
    const address = await listen((connection) => connection.handle({ frame() {}, closed() {} }))
    const connection = await network.connect(address)
    expect(keepAlive.mock.calls).toEqual([
      [true, 30_000],
      [true, 30_000],
    ])
    keepAlive.mockRestore()
    connection.close()
  })

  test('a large frame arrives whole', async () => {
    const sent = Buffer.alloc(5_000_000, 'abc')
    const received = new Promise<Uint8Array>((resolve) => {
      void listen((connection) => connection.handle({ frame: resolve, closed: () => {} })).then(
        async (address) => (await network.connect(address)).send(sent),
      )
    })
    expect(sent.equals(await received)).toBe(true)
  })

  test('what cannot leave is counted, and drained is called when it has left', async () => {
    let accepted: net.Socket | undefined
    const server = net.createServer((socket) => {
      accepted = socket.pause()
      socket.write(preface)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const connection = await network.connect(`127.0.0.1:${(server.address() as net.AddressInfo).port}`)
    const drained = new Promise<void>((resolve) => {
      connection.handle({ frame: () => {}, closed: () => {}, drained: resolve })
    })
    for (let i = 0; i < 20; i++) connection.send(new Uint8Array(1024 * 1024))
    await new Promise((resolve) => setImmediate(resolve))
    expect(connection.queuedBytes).toBeGreaterThan(1024 * 1024)
    accepted?.resume()
    await drained
    expect(connection.queuedBytes).toBe(0)
    connection.close()
    server.close()
  })
})

describe('what is not a frame', () => {
  const goodFrame = Buffer.concat([preface, ...joinFrames([Buffer.from('hello')])])
  const badCrc = Buffer.from([1, 0, 0, 0, 9, 9, 9, 9, 65])
  const tooLarge = Buffer.from([0, 0, 0, 2, 0, 0, 0, 0])
  test.each([
    ['garbage', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], /does not speak/, 0],
    ['another version', [Buffer.from('ALTHING\u0002')], /does not speak/, 0],
    ['a damaged frame right behind the preface', [Buffer.concat([preface, badCrc])], /checksum/, 0],
    ['a frame with a wrong checksum', [goodFrame, badCrc], /checksum/, 1],
    ['a frame over the limit', [goodFrame, tooLarge], /33554432 bytes/, 1],
  ])('%s closes the connection with one line, and no other', async (_name, bytes, reason, accepts) => {
    const accepted: Connection[] = []
    const closed: (Error | undefined)[] = []
    const address = await listen((connection) => {
      accepted.push(connection)
      connection.handle({ frame: (frame) => connection.send(frame), closed: (error) => closed.push(error) })
    })
    const good = await network.connect(address)
    await rawClient(address, bytes[0] as Buffer, bytes[1])
    await vi.waitFor(() => expect(closed.length).toBe(accepts))
    expect(lines).toEqual([expect.stringMatching(reason)])
    expect(accepted.length).toBe(1 + accepts)
    for (const error of closed) expect(error).toMatchObject({ code: 'corrupt' })
    const echo = new Promise((resolve) => good.handle({ frame: resolve, closed: () => {} }))
    good.send(Buffer.from('still here'))
    expect(Buffer.from((await echo) as Uint8Array).toString()).toBe('still here')
  })

  test('whoever dials something that does not speak the protocol is told so', async () => {
    const server = net.createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as net.AddressInfo
    await expect(network.connect(`127.0.0.1:${port}`, { timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining("does not speak Althing's protocol") as string,
      details: { isForeign: true },
    })
    await new Promise((resolve) => server.close(resolve))
  })

  test('half a preface and then silence ends after five seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let accepted = 0
    let laterAccepted = (): void => {}
    const later = new Promise<void>((resolve) => {
      laterAccepted = resolve
    })
    const address = await listen(() => {
      accepted++
      laterAccepted()
    })
    const ended = rawClient(address, preface.subarray(0, 4))
    // The server has taken the connection once a later one has got through.
    await network.connect(address, { timeoutMs: 60_000 })
    await later
    vi.advanceTimersByTime(prefaceMsMax - 1)
    expect(lines).toEqual([])
    vi.advanceTimersByTime(1)
    await ended
    expect(lines).toEqual(['warn: it sent no preface in time'])
    expect(accepted).toBe(1)
  })
})

describe('connect and listen', () => {
  test('connections that never say what they are take no more than their places, and free them when they go', async () => {
    const address = await listen((connection) => connection.handle({ frame() {}, closed() {} }))
    const port = Number(address.split(':')[1])
    const silent: net.Socket[] = []
    // Fewer at a time than the system's backlog. The listener's own preface says that it has taken the connection in.
    while (silent.length < handshakesMax) {
      const batch = Array.from({ length: 128 }, () => net.connect(port, '127.0.0.1'))
      await Promise.all(batch.map((socket) => new Promise((resolve) => socket.once('data', resolve))))
      silent.push(...batch)
    }
    await expect(network.connect(address)).rejects.toMatchObject({ code: 'unavailable' })
    for (const socket of silent) socket.destroy()
    await vi.waitFor(async () => (await network.connect(address)).close())
  })

  test('a taken address is refused as unavailable', async () => {
    const address = await listen(() => {})
    await expect(network.listen(address, () => {})).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('nobody there is unavailable; an abort is aborted; silence is a timeout', async () => {
    const server = net.createServer((socket) => socket.on('error', () => {}).resume())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = `127.0.0.1:${(server.address() as net.AddressInfo).port}`
    await expect(network.connect(address, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'timeout' })
    const controller = new AbortController()
    const connecting = network.connect(address, { signal: controller.signal })
    controller.abort()
    await expect(connecting).rejects.toMatchObject({ code: 'aborted' })
    await new Promise((resolve) => server.close(resolve))
    await expect(network.connect(address)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(network.connect('no port')).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  test('a close in good order is told to both sides without an error, after what was sent', async () => {
    const events: unknown[] = []
    const address = await listen((connection) => {
      connection.handle({
        frame: (frame) => events.push(frame.length),
        closed: (error) => events.push(error ?? 'closed'),
      })
    })
    const connection = await network.connect(address)
    const closed = new Promise((resolve) => connection.handle({ frame: () => {}, closed: resolve }))
    connection.send(new Uint8Array(3))
    connection.close()
    connection.close()
    connection.send(new Uint8Array(4))
    expect(await closed).toBeUndefined()
    await vi.waitFor(() => expect(events).toEqual([3, 'closed']))
    expect(lines).toEqual([])
  })
})
