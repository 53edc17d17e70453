import net from 'node:net'
import { Resolver } from 'node:dns/promises'
import packets, { type Packet, type Question } from 'dns-packet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ServiceInstance } from '../../coordination/discovery/discovery-types.ts'
import { instanceOf } from '../../traffic/given-live-set.ts'
import { createNodeWorld } from '../../world/node-world.ts'
import { answerDns } from './dns-answer.ts'
import { DnsServer } from './dns-server.ts'

const random = { float: () => 0.5 }
const services = new Map<string, readonly ServiceInstance[]>()
const freshness = { isKnown: true, stale: false, revision: 7 }
const directory = {
  freshness,
  instancesFolded: (name: string) =>
    [...services].find(([service]) => service.toLowerCase() === name.toLowerCase())?.[1],
}

function add(service: string, ...instances: Partial<ServiceInstance>[]): void {
  services.set(
    service,
    instances.map((each) => instanceOf(each.id ?? 'a', { service, ...each })),
  )
}

interface Asked {
  readonly over?: 'udp' | 'tcp'
  readonly edns?: number
  readonly ednsVersion?: number
  readonly class?: Question['class']
}

function ask(name: string, type: Question['type'], asked: Asked = {}): Packet & { rcode: number } {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: asked.edns, flags: 0, extendedRcode: 0, options: [] }
  const query = packets.encode({
    type: 'query',
    id: 77,
    flags: packets.RECURSION_DESIRED,
    questions: [{ name, type, class: asked.class ?? 'IN' }],
    additionals:
      asked.edns === undefined
        ? []
        : [{ ...opt, ednsVersion: asked.ednsVersion ?? 0 } as unknown as packets.Answer],
  })
  const reply = answerDns(query, { directory, random, ttlS: 5, over: asked.over ?? 'udp' })
  if (reply === undefined) throw new Error('no answer')
  const packet = packets.decode(Buffer.from(reply))
  expect(packet.id).toBe(77)
  if (asked.over !== 'tcp')
    expect(reply.byteLength).toBeLessThanOrEqual(asked.edns === undefined ? 512 : 1_232)
  return { ...packet, rcode: (packet.flags ?? 0) & 0xf }
}

const dataOf = (packet: Packet): unknown[] =>
  (packet.answers ?? []).map((record) => 'data' in record && record.data)
const isTruncated = (packet: Packet): boolean => ((packet.flags ?? 0) & packets.TRUNCATED_RESPONSE) !== 0

beforeEach(() => {
  services.clear()
  Object.assign(freshness, { isKnown: true, stale: false })
  add(
    'Api',
    { id: 'a', address: '10.0.0.1:8080', zone: 'North', weight: 50 },
    { id: 'b', address: '[fd00::2]:8081', zone: 'south' },
    { id: 'sick', address: '10.0.0.3:80', health: { state: 'unhealthy', flapping: false, results: [] } },
    { id: 'drains', address: '10.0.0.4:80', state: 'draining' },
    { id: 'idle', address: '10.0.0.5:80', weight: 0 },
  )
})

describe('an answer', () => {
  test('has addresses, or ports and targets with their addresses, of the healthy ones alone', () => {
    expect(dataOf(ask('api.service.althing', 'A'))).toEqual(['10.0.0.1'])
    expect(dataOf(ask('api.service.althing', 'AAAA'))).toEqual(['fd00::2'])
    const srv = ask('api.service.althing', 'SRV')
    expect(dataOf(srv)).toEqual(
      expect.arrayContaining([
        { priority: 1, weight: 50, port: 8080, target: 'a.Api.service.althing' },
        { priority: 1, weight: 100, port: 8081, target: 'b.Api.service.althing' },
      ]),
    )
    expect(srv.answers).toHaveLength(2)
    expect(srv.additionals?.map(({ type }) => type).toSorted()).toEqual(['A', 'AAAA'])
    expect((srv.flags ?? 0) & packets.AUTHORITATIVE_ANSWER).not.toBe(0)
    expect((srv.flags ?? 0) & packets.RECURSION_AVAILABLE).toBe(0)
  })

  test('is found in any case of letters, and has the name as it was asked for', () => {
    const reply = ask('aPI.Service.ALTHING', 'A')
    expect(reply.answers?.[0]).toMatchObject({ name: 'aPI.Service.ALTHING', ttl: 5 })
  })

  test('of one instance, of one zone, and of names with dots in them', () => {
    expect(dataOf(ask('A.api.service.althing', 'A'))).toEqual(['10.0.0.1'])
    expect(ask('c.api.service.althing', 'A').rcode).toBe(3)
    expect(dataOf(ask('api.service.north.zone.althing', 'A'))).toEqual(['10.0.0.1'])
    expect(dataOf(ask('b.api.service.south.zone.althing', 'AAAA'))).toEqual(['fd00::2'])
    expect(ask('api.service.west.zone.althing', 'A').rcode).toBe(3)
    add('db.main', { id: '10.0.0.9', address: '10.0.0.9:5432' })
    expect(dataOf(ask('db.main.service.althing', 'A'))).toEqual(['10.0.0.9'])
    expect(dataOf(ask('10.0.0.9.db.main.service.althing', 'A'))).toEqual(['10.0.0.9'])
  })

  test('leads to a host by its name where there is no address', () => {
    add('web', { id: 'w', address: 'web.example.org:443' })
    expect(ask('web.service.althing', 'A').answers).toMatchObject([
      { type: 'CNAME', data: 'web.example.org' },
    ])
    expect(dataOf(ask('web.service.althing', 'SRV'))).toMatchObject([
      { port: 443, target: 'web.example.org' },
    ])
  })

  test('leaves out what DNS has no room for', () => {
    add('web', { id: 'x'.repeat(70), address: '10.0.0.1:80' }, { id: 'y', address: 'unix:/run/y' })
    expect(ask('web.service.althing', 'SRV')).toMatchObject({ rcode: 0, answers: [] })
    expect(dataOf(ask('web.service.althing', 'A'))).toEqual(['10.0.0.1'])
  })

  test('tells "no such name" from "nothing of this type", each with the SOA that says for how long', () => {
    for (const [name, type, rcode] of [
      ['other.service.althing', 'A', 3],
      ['api.service.althing', 'TXT', 0],
      ['a.api.service.althing', 'AAAA', 0],
      ['service.althing', 'A', 0],
      ['sick.api.service.althing', 'A', 0],
    ] as const) {
      const reply = ask(name, type)
      expect([name, reply.rcode]).toEqual([name, rcode])
      expect(reply.answers).toEqual([])
      expect(reply.authorities).toMatchObject([{ type: 'SOA', name: 'althing', data: { minimum: 5 } }])
    }
    expect(ask('althing', 'SOA').answers).toMatchObject([{ type: 'SOA' }])
    expect(ask('althing', 'NS').answers).toMatchObject([{ type: 'NS' }])
  })

  test('is refused for what is not ours: nothing is asked of others', () => {
    for (const name of ['example.org', 'althing.example.org', '']) expect(ask(name, 'A').rcode).toBe(5)
    expect(ask('api.service.althing', 'A', { class: 'CH' }).rcode).toBe(5)
  })

  test('to ANY is short', () => {
    expect(ask('api.service.althing', 'ANY' as 'A').answers).toMatchObject([{ type: 'HINFO' }])
  })

  test('that is stale says so, may be kept for a second, and is a failure before anything is known', () => {
    freshness.stale = true
    const reply = ask('api.service.althing', 'A', { edns: 1_232 })
    expect(reply.answers).toMatchObject([{ data: '10.0.0.1', ttl: 1 }])
    const opt = reply.additionals?.find(({ type }) => type === 'OPT') as unknown as {
      options: { code: number }[]
    }
    expect(opt.options).toMatchObject([{ code: 15 }])
    freshness.isKnown = false
    expect(ask('api.service.althing', 'A').rcode).toBe(2)
  })

  test('of a version of EDNS that is not known is BADVERS', () => {
    const reply = ask('api.service.althing', 'A', { edns: 4_096, ednsVersion: 1 })
    expect(reply.additionals).toMatchObject([{ type: 'OPT', extendedRcode: 1 }])
    expect(reply.answers).toEqual([])
  })

  test('is cut to what fits, and says so; over TCP it has all', () => {
    const many = Array.from({ length: 300 }, (_, i) => ({
      id: `i${i}`,
      address: `10.1.${i >> 8}.${i & 255}:80`,
    }))
    add('many', ...many)
    const plain = ask('many.service.althing', 'A')
    const edns = ask('many.service.althing', 'A', { edns: 65_000 })
    expect(isTruncated(plain) && isTruncated(edns)).toBe(true)
    expect(plain.answers?.length).toBeGreaterThan(8)
    expect(edns.answers?.length).toBeGreaterThan(25)
    const all = ask('many.service.althing', 'A', { over: 'tcp' })
    expect(isTruncated(all)).toBe(false)
    expect(new Set(dataOf(all)).size).toBe(300)
  })
})

describe('a packet that is none', () => {
  const run = (bytes: Uint8Array): Uint8Array | undefined =>
    answerDns(bytes, { directory, random, ttlS: 5, over: 'udp' })

  test('is not answered, or with a code of error: and answers are never answered', () => {
    expect(run(new Uint8Array())).toBeUndefined()
    expect(run(new Uint8Array(11))).toBeUndefined()
    expect(run(packets.encode({ type: 'response', id: 1, questions: [] }))).toBeUndefined()
    const loop = Buffer.from([0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1])
    expect(Buffer.from(run(loop) as Uint8Array).readUInt16BE(2)).toBe(0x8001)
    const two = packets.encode({
      type: 'query',
      id: 1,
      questions: [
        { name: 'api.service.althing', type: 'A' },
        { name: 'api.service.althing', type: 'A' },
      ],
    })
    expect((packets.decode(Buffer.from(run(two) as Uint8Array)).flags ?? 0) & 0xf).toBe(1)
    const notify = Buffer.from(
      packets.encode({ type: 'query', id: 1, questions: [{ name: 'althing', type: 'SOA' }] }),
    )
    notify.writeUInt8(4 << 3, 2)
    expect(Buffer.from(run(notify) as Uint8Array).readUInt8(3) & 0xf).toBe(4)
  })
})

describe('the server', () => {
  let server: DnsServer
  let resolver: Resolver

  beforeEach(async () => {
    const world = createNodeWorld({ dataFolder: '.', logger: { log: () => {} } })
    server = await DnsServer.start({ world, directory, listen: '127.0.0.1:0' })
    resolver = new Resolver({ timeout: 5_000, tries: 2 })
    resolver.setServers([server.address])
  })

  afterEach(async () => {
    await server.close()
    await server.close()
  })

  test('answers a resolver that knows nothing of it', async () => {
    expect(await resolver.resolve4('api.service.althing')).toEqual(['10.0.0.1'])
    expect(await resolver.resolve6('api.service.althing')).toEqual(['fd00::2'])
    const srv = await resolver.resolveSrv('api.service.althing')
    expect(srv.map(({ port }) => port).toSorted()).toEqual([8080, 8081])
    await expect(resolver.resolve4('other.service.althing')).rejects.toMatchObject({ code: 'ENOTFOUND' })
    await expect(resolver.resolve4('b.api.service.althing')).rejects.toMatchObject({ code: 'ENODATA' })
    await expect(resolver.resolve4('example.org')).rejects.toMatchObject({ code: 'EREFUSED' })
  })

  test('lets a resolver come back over TCP for what UDP has no room for', async () => {
    add(
      'many',
      ...Array.from({ length: 300 }, (_, i) => ({ id: `i${i}`, address: `10.1.${i >> 8}.${i & 255}:80` })),
    )
    expect(new Set(await resolver.resolve4('many.service.althing')).size).toBe(300)
  })

  test('goes on after packets and connections that make no sense', async () => {
    const world = createNodeWorld({ dataFolder: '.', logger: { log: () => {} } })
    const socket = await world.datagrams.bind('127.0.0.1:0')
    for (let length = 0; length < 200; length++) socket.send(world.random.bytes(length), server.address)
    await socket.close()
    const connection = net.connect(Number(server.address.split(':')[1]), '127.0.0.1')
    const closed = new Promise((resolve) => {
      connection.on('error', () => {}).on('close', resolve)
    })
    connection.write(Buffer.concat([Buffer.from([0, 3]), Buffer.from('GET / HTTP/1.1')]))
    await closed
    expect(await resolver.resolve4('api.service.althing')).toEqual(['10.0.0.1'])
  })
})
