import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createNodeWorld } from '../../world/node-world.ts'
import { NodeLogger } from '../../world/logger.ts'
import { openPostgresStore } from './open-postgres-store.ts'

const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })
const closing: (() => void)[] = []

afterEach(() => {
  for (const close of closing.splice(0)) close()
})

function message(type: string, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const authenticated = message('R', Buffer.alloc(4))
const ready = message('Z', Buffer.from('I'))
const goingDown = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'))

/** Speaks as a PostgreSQL does that is told to end just when a client has come in. */
async function endingServer(onConnection: () => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => {
      onConnection()
      socket.end(Buffer.concat([authenticated, ready, goingDown]))
    })
  })
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

describe('a connection to PostgreSQL', () => {
  test('that breaks in the packet that says it is ready fails the call, and harms no process', async () => {
    let connections = 0
    const port = await endingServer(() => connections++)
    const opening = openPostgresStore(world, { url: `postgres://a:b@127.0.0.1:${port}/x`, timeoutMs: 300 })
    await expect(opening).rejects.toMatchObject({ code: 'unavailable', outcome: 'none' })
    expect(connections).toBeGreaterThan(1)
  })
})
