import { expect, test } from 'vitest'
import { GrowingCluster } from '../growing-cluster.test-support.ts'
import type { Hello } from '../protocol.ts'
import { SystemStore } from '../system-store.ts'
import { AddressBook } from './address-book.ts'
import { Admission } from './admission.ts'
import { KnownMembers } from './known-members.ts'
import { type MemberRecord, memberKeys } from './member-record.ts'

interface Setting {
  readonly admission: Admission
  readonly book: AddressBook
  readonly disconnected: number[]
  write(record: MemberRecord): Promise<void>
}

/** Over the copy of a node that is alone, and leads. */
async function within(body: (setting: Setting) => Promise<void>): Promise<void> {
  const cluster = new GrowingCluster(1, 1)
  await cluster.client(async (world) => {
    const { host } = cluster.leader ?? expect.fail('nobody leads')
    const system = new SystemStore(host)
    const book = new AddressBook([{ id: 1, address: 'node1:7400' }], () => {})
    const known = await KnownMembers.read(world, 'known')
    const disconnected: number[] = []
    const disconnect = (peer: number): void => void disconnected.push(peer)
    const admission = new Admission({ self: 1, system, book, known, disconnect })
    const write = async (record: MemberRecord): Promise<void> => {
      expect(await system.change([{ key: memberKeys.record(record.id), value: record }])).toBe(true)
    }
    await body({ admission, book, disconnected, write })
  })
}

const hello = (storageId: string): Hello => ({
  kind: 'peer',
  clusterId: 'test',
  from: 2,
  storageId,
  address: 'node2:7400',
  peerVersion: 2,
})
const removed = expect.objectContaining({ code: 'not-member' })

test('one that was let in before its removal was known here is cut off, and told when it calls again', async () => {
  await within(async ({ admission, book, disconnected, write }) => {
    admission.admit(hello('a'))
    admission.tick()
    expect(book.reachable.map(({ id }) => id)).toEqual([1, 2])
    expect(disconnected).toEqual([])
    await write({ id: 2, state: 'removed', storageId: 'a' })
    admission.tick()
    expect(disconnected).toEqual([2])
    expect(book.reachable.map(({ id }) => id)).toEqual([1])
    expect(() => admission.admit(hello('a'))).toThrow(removed)
    admission.tick()
    expect(disconnected).toEqual([2])
  })
})

test('one that was let in with another folder than the cluster knows is cut off, and told when it calls again', async () => {
  await within(async ({ admission, disconnected, write }) => {
    admission.admit(hello('emptied'))
    await write({ id: 2, state: 'joined', storageId: 'a' })
    admission.tick()
    expect(disconnected).toEqual([2])
    expect(() => admission.admit(hello('emptied'))).toThrow(removed)
    admission.admit(hello('a'))
  })
})
