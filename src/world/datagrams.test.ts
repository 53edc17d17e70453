import { afterEach, expect, test } from 'vitest'
import { type DatagramSocket, maxDatagramBytes } from '../contracts/world.ts'
import { NodeDatagrams } from './datagrams.ts'

const datagrams = new NodeDatagrams({ log: () => {} })
const sockets: DatagramSocket[] = []

async function bind(address = '127.0.0.1:0'): Promise<DatagramSocket> {
  const socket = await datagrams.bind(address)
  sockets.push(socket)
  return socket
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close()
})

test('a packet goes there and, to the address it came from, back', async () => {
  const [server, client] = [await bind(), await bind()]
  server.handle((packet, from) => server.send(packet.slice(1), from))
  const answer = new Promise<[number, string]>((resolve) => {
    client.handle((packet, from) => resolve([packet.byteLength, from]))
  })
  client.send(new Uint8Array(1_200), server.address)
  expect(await answer).toEqual([1_199, server.address])
})

test('an address that is taken or has no form, and a packet over the limit, are refused', async () => {
  const socket = await bind()
  await expect(bind(socket.address)).rejects.toMatchObject({ code: 'unavailable' })
  await expect(bind('nonsense')).rejects.toMatchObject({ code: 'invalid-argument' })
  const tooLarge = new Uint8Array(maxDatagramBytes + 1)
  expect(() => socket.send(tooLarge, socket.address)).toThrow(expect.objectContaining({ code: 'too-large' }))
})

test('closing is idempotent; afterwards nothing is sent, and the address is free', async () => {
  const socket = await bind()
  await Promise.all([socket.close(), socket.close()])
  socket.send(new Uint8Array(1), socket.address)
  expect((await bind(socket.address)).address).toBe(socket.address)
})
