// Whatever comes to a node's port: that connection is closed with a line in the log, and nothing else is harmed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { open, type Althing } from 'althing'
import { NodeClient } from 'althing/engines'
import { SeededRandom } from '../../src/testing/world/seeded-random.ts'
import { encodeHello, methods } from '../../src/engines/cluster/protocol.ts'
import { encodeFrame, peerVersion } from '../../src/replication/message-codec.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Attacker, frame, frameHead, preface } from './support/attacker.ts'
import { Child, killAllChildren } from './support/child.ts'
import { eventually, pause } from './support/eventually.ts'
import { anyValue, damagedCommand, pack } from './support/fuzz.ts'
import { type ClusterMember, clusterName, NodeCluster, world } from './support/node-cluster.ts'
import { ownCopy } from './support/own-copy.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

const warn = 40
const seed = process.env.ALTHING_FUZZ_SEED ?? '1'
/** Far more than a node's ordinary ups and downs, far less than what the attackers announce. */
const growthBytesMax = 256 * 1024 * 1024

const clientHello = frame(encodeHello({ kind: 'client', clusterId: clusterName, from: 0 }))
/** As node 2 greets when it has the data folder of this storage id. */
const peerHello = (storageId?: string): Buffer => {
  const kept = storageId === undefined ? {} : { storageId }
  return frame(encodeHello({ kind: 'peer', clusterId: clusterName, from: 2, peerVersion, ...kept }))
}

let cluster: NodeCluster
let victim: ClusterMember
/** Connected before the attacks, and never again: had it been cut off, a test would see it. */
let bystander: NodeClient
let althing: Althing

beforeAll(async () => {
  cluster = await NodeCluster.start(3)
  victim = cluster.member(1)
  bystander = await NodeClient.open(world, victim.address, { clusterId: clusterName, timeoutMs: 30_000 })
  althing = await open(cluster.url, { world, clusterId: clusterName, timeout: '30s' })
})

afterAll(async () => {
  bystander?.close()
  await althing?.close()
  await killAllChildren()
  removeScratchFolders()
})

let writes = 0

async function expectUnharmed(): Promise<void> {
  for (const { process } of cluster.members) expect(process.isRunning, process.errors).toBe(true)
  expect((await bystander.status()).isReady).toBe(true)
  writes += 1
  await althing.store.put('unharmed', writes)
  expect((await althing.store.get('unharmed'))?.value).toBe(writes)
}

/** The lines of the victim's log that name the attacker. */
function linesAbout(attacker: Attacker): readonly Record<string, unknown>[] {
  return victim.process.log.filter(({ remote, remoteAddress }) =>
    [remote, remoteAddress].includes(attacker.address),
  )
}

async function expectClosedWithOneLine(attacker: Attacker, reason: RegExp): Promise<void> {
  await attacker.closed
  const line = await eventually(`a line about ${attacker.address}`, () => linesAbout(attacker)[0])
  expect(line).toMatchObject({ level: warn, reason: expect.stringMatching(reason) })
  expect(linesAbout(attacker)).toHaveLength(1)
}

const hello = (...fields: readonly unknown[]): Buffer => frame(pack(fields))
const damaged = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes)
  copy[copy.length - 1] = (copy.at(-1) as number) ^ 1
  return copy
}
const random = new SeededRandom(`hostile/${seed}`)

describe("a node's port", () => {
  test.each<[string, readonly Uint8Array[], RegExp]>([
    ['an HTTP request', [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')], /does not speak/],
    ['random bytes', [random.bytes(64 * 1024)], /does not speak/],
    ['another version of the framing', [Buffer.from('ALTHING\u0002', 'latin1')], /does not speak/],
    ['a frame with a wrong checksum', [preface, damaged(clientHello)], /checksum/],
    ['a frame announced as 4 GiB', [preface, frameHead(2 ** 32 - 1)], /announced a frame of 4294967295/],
    ['a greeting that is no MessagePack', [preface, frame(Buffer.from([0xc1, 0xff]))], /MessagePack/],
    ['a greeting nested without end', [preface, frame(Buffer.alloc(1024 * 1024, 0x91))], /MessagePack/],
    [
      'a greeting in which a list announces 4 G items',
      [preface, frame(Buffer.from('ddffffffff', 'hex'))],
      /MessagePack/,
    ],
    ['a greeting of another protocol', [preface, hello('kafka', 1, 0, '', 0)], /Althing protocol/],
    ['a greeting of version 99', [preface, hello('althing', 99, 0, '', 0)], /version 99/],
    ['a greeting with fields of wrong types', [preface, hello('althing', 1, 0, 7, 'x')], /malformed hello/],
    ['a member of another cluster', [preface, hello('althing', 1, 1, 'other', 2)], /cluster other/],
    ['a peer that is no member', [preface, hello('althing', 1, 1, clusterName, 9)], /not another member/],
    ['a client whose request is no request', [preface, clientHello, frame(pack({ id: 1 }))], /malformed/],
    ['a client whose request is cut short', [preface, clientHello, frame(pack([1, 2]))], /malformed/],
    ['a member with the folder of another', [preface, peerHello('f'.repeat(24))], /another data folder/],
    ['a member that does not say which folder it has', [preface, peerHello()], /another data folder/],
  ])('closes %s, with one line in its log', async (_title, bytes, reason) => {
    const attacker = await Attacker.connect(victim.address)
    attacker.send(...bytes)
    await expectClosedWithOneLine(attacker, reason)
    await expectUnharmed()
  })

  test.each<[string, Uint8Array, RegExp]>([
    ['whose message is no message', pack(['vote for me']), /malformed frame of raft messages/],
    ['that sends nonsense', random.bytes(500), /malformed frame of raft messages/],
    ['that speaks for another', encodeFrame({ from: 3, to: 1, messages: [] }), /name other members/],
  ])('closes a peer %s, with one line in its log', async (_title, message, reason) => {
    const identity = readFileSync(join(cluster.member(2).storeFolder, 'identity.json'), 'utf8')
    const { storageId } = JSON.parse(identity) as { readonly storageId: string }
    const attacker = await Attacker.connect(victim.address)
    attacker.send(preface, peerHello(storageId), frame(message))
    await expectClosedWithOneLine(attacker, reason)
    await expectUnharmed()
  })

  test('lets go of a caller that leaves in the middle of a frame', async () => {
    const attacker = await Attacker.connect(victim.address)
    attacker.send(preface, clientHello, frame(pack([1, 2, 3])).subarray(0, 9))
    attacker.end()
    await attacker.closed
    await expectUnharmed()
  })

  test('closes callers that take their time: with the preface, or with the greeting', async () => {
    const slow = await Attacker.connect(victim.address)
    const silent = await Attacker.connect(victim.address)
    silent.send(preface)
    for (let at = 0; at < preface.length - 1; at++) {
      slow.send(preface.subarray(at, at + 1))
      await pause(100)
    }
    await expectClosedWithOneLine(slow, /preface in time/)
    await expectClosedWithOneLine(silent, /no greeting/)
    await expectUnharmed()
  })

  test('answers or closes whatever a client sends in good frames', async () => {
    let attacker = await Attacker.connect(victim.address)
    attacker.send(preface, clientHello)
    const methodCodes = [
      methods.mutate,
      methods.range,
      methods.keepLeaseAlive,
      methods.leases,
      methods.watch,
      77,
    ]
    for (let id = 1; id <= 1_500; id++) {
      if (attacker.isClosed) {
        attacker = await Attacker.connect(victim.address)
        attacker.send(preface, clientHello)
      }
      const method = methodCodes[random.integer(0, methodCodes.length - 1)]
      const isRequest = random.float() < 0.98
      attacker.send(frame(pack(isRequest ? [id, method, 1_000, 0, anyValue(random)] : anyValue(random))))
      if (id % 50 === 0) await pause(1)
    }
    attacker.end()
    await attacker.closed
    await expectUnharmed()
  })

  test('survives damaged commands on every node, and all nodes stay alike', async () => {
    const attacker = await Attacker.connect(victim.address)
    attacker.send(preface, clientHello)
    for (let id = 1; id <= 3_000; id++) {
      attacker.send(frame(pack([id, methods.mutate, 5_000, 0, damagedCommand(random)])))
      if (id % 100 === 0) await pause(1)
    }
    // An answer each, of more than ten bytes.
    await eventually('the answers', () => attacker.received.length > 30_000)
    attacker.end()
    await attacker.closed
    await expectUnharmed()
    const { revision } = await (await cluster.leader()).ready()
    const copies = await Promise.all(
      cluster.members.map(async (member) => {
        await eventually(`node ${member.id} has caught up`, async () => {
          return ((await member.status())?.revision ?? 0) >= revision
        })
        return await ownCopy(member, '')
      }),
    )
    expect(copies[1]).toEqual(copies[0])
    expect(copies[2]).toEqual(copies[0])
  })

  test('keeps its memory bounded while many callers announce much', async () => {
    const before = victim.process.residentBytes()
    const attackers = await Promise.all(Array.from({ length: 200 }, () => Attacker.connect(victim.address)))
    for (const attacker of attackers) attacker.send(preface, frameHead(16 * 1024 * 1024), Buffer.alloc(4_096))
    await pause(500)
    expect(victim.process.residentBytes() - before).toBeLessThan(growthBytesMax)
    await expectUnharmed()
    for (const attacker of attackers) attacker.abandon()
    await eventually('they are gone', async () => (await bystander.status()).clients < 20)
  })
})

test("a node's HTTP port answers nonsense with an error or closes it, and serves on", async () => {
  await expectHttpBearsNonsense(victim.http, victim.process)
  const reply = await fetch(`http://${victim.http}/api/v1/status`)
  expect(reply.status).toBe(200)
  await expectUnharmed()
})

describe("a gateway's port", () => {
  test('answers nonsense with an error or closes it, and serves on', async () => {
    const gateway = Child.command([
      'gateway',
      '--url',
      cluster.url,
      '--service',
      'nobody',
      '--listen',
      '127.0.0.1:0',
    ])
    const { address } = await gateway.event({ event: 'listening' })
    await expectHttpBearsNonsense(String(address), gateway)
    const reply = await fetch(`http://${address}/`)
    expect(reply.status).toBe(503)
    await expectUnharmed()
  })
})

/** Each of these must end with a 4xx or with a closed connection, and the process must live. */
async function expectHttpBearsNonsense(address: string, child: Child): Promise<void> {
  const nonsense: readonly Uint8Array[] = [
    random.bytes(2_000),
    preface,
    Buffer.from('GET / HTTP/9.9\r\n\r\n'),
    Buffer.from('GET  /../../etc/passwd HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'),
    Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`),
    Buffer.from(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    ),
  ]
  for (const bytes of nonsense) {
    const attacker = await Attacker.connect(address)
    attacker.send(bytes)
    await attacker.closed
    const reply = attacker.received.toString('latin1')
    expect(reply === '' || /^HTTP\/1\.1 (4\d\d|505) /.test(reply), reply).toBe(true)
    expect(child.isRunning, child.errors).toBe(true)
  }
}
