import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import type { Operation } from '../../contracts/store.ts'
import { StoreModel } from '../../models/store/store-model.ts'
import type { SessionStamp, StoreCommand } from '../../models/store/types.ts'
import { quotaBytesMin, StoreAdmission } from './store-admission.ts'

const noSession: SessionStamp = { session: 0, sequence: 0, acknowledged: 0 }

function txn(
  then: readonly Operation[],
  otherwise: readonly Operation[] = [],
  stamp = noSession,
): StoreCommand {
  return { ...stamp, type: 'txn', compare: [], then, else: otherwise }
}

const put = (key: string, bytes = 1, lease = 0): Operation => ({
  op: 'put',
  key,
  value: new Uint8Array(bytes),
  lease,
})
const grant: StoreCommand = { ...noSession, type: 'grantLease', ttlMs: 1_000 }
const remove: Operation = { op: 'delete', key: 'a' }

function fullModel(): StoreModel {
  const model = new StoreModel()
  for (let i = 0; i < 16; i++) model.apply(txn([put(`k${i}`, 1024 * 1024)]))
  return model
}

function codes(admission: StoreAdmission, commands: readonly StoreCommand[]): unknown[] {
  return commands.map((command) => admission.refusal(command, 100)?.code)
}

describe('store admission', () => {
  test('past the quota what grows is refused, outcome none, and what makes room is let in', () => {
    const admission = new StoreAdmission(fullModel(), { quotaBytes: quotaBytesMin })
    const refused = [txn([put('a')]), txn([], [put('a')]), txn([remove, put('b')]), grant]
    expect(codes(admission, refused)).toEqual(Array(4).fill('no-space'))
    expect(admission.refusal(grant, 100)).toMatchObject({
      outcome: 'none',
      details: { quotaBytes: quotaBytesMin },
    })
    const letIn: StoreCommand[] = [
      txn([remove]),
      txn([{ op: 'range', key: 'a' }], [remove]),
      { ...noSession, type: 'revokeLease', lease: 1 },
      { ...noSession, type: 'compact', revision: 1 },
      { ...noSession, type: 'closeSession' },
      { type: 'openSession', ownerKey: 'x' },
      { type: 'expireLeases', leases: [1] },
      { type: 'setQuota', bytes: 2 ** 31 },
      txn([put('\u0000settings/x')]),
    ]
    expect(codes(admission, letIn)).toEqual(Array(letIn.length).fill(undefined))
  })

  test('commands under way count as if they were applied', () => {
    const model = new StoreModel()
    const admission = new StoreAdmission(model, { quotaBytes: quotaBytesMin })
    admission.started(quotaBytesMin - 50)
    expect(admission.refusal(txn([put('a')]), 100)?.code).toBe('no-space')
    admission.ended(quotaBytesMin - 50)
    expect(admission.refusal(txn([put('a')]), 100)).toBeUndefined()
  })

  test('a repeat of what was applied is let in: it is answered with the reply that is kept', () => {
    const model = fullModel()
    const opened = model.apply({ type: 'openSession', ownerKey: 'x' })
    const session = opened.ok && opened.type === 'openSession' ? opened.session : 0
    const first = txn([put('a')], [], { session, sequence: 1, acknowledged: 0 })
    model.apply(first)
    const admission = new StoreAdmission(model, { quotaBytes: quotaBytesMin })
    expect(admission.refusal(first, 100)).toBeUndefined()
    const second = txn([put('a')], [], { session, sequence: 2, acknowledged: 0 })
    expect(admission.refusal(second, 100)?.code).toBe('no-space')
  })

  test('a quota set through the log takes the place of the configured one', () => {
    const model = fullModel()
    const admission = new StoreAdmission(model, { quotaBytes: quotaBytesMin })
    model.apply({ type: 'setQuota', bytes: 2 ** 31 })
    expect(admission.refusal(txn([put('a')]), 100)).toBeUndefined()
    expect(admission.space).toMatchObject({ state: 'ok', quotaBytes: 2 ** 31 })
    model.apply({ type: 'setQuota', bytes: 0 })
    expect(admission.space).toMatchObject({ state: 'full', quotaBytes: quotaBytesMin })
  })

  test('the store is nearly full from 80 % on', () => {
    const model = new StoreModel()
    const admission = new StoreAdmission(model, { quotaBytes: quotaBytesMin })
    for (let i = 0; i < 12; i++) model.apply(txn([put(`k${i}`, 1024 * 1024)]))
    expect(admission.space.state).toBe('ok')
    model.apply(txn([put('k13', 1024 * 1024)]))
    expect(admission.space.state).toBe('nearly-full')
  })

  test('while growth is refused for another reason, also system keys are, and the reason is told', () => {
    const admission = new StoreAdmission(new StoreModel())
    admission.refuseGrowth('the disk is all but full')
    expect(codes(admission, [txn([put('a')]), grant, txn([put('\u0000settings/x')]), txn([remove])])).toEqual(
      ['no-space', 'no-space', 'no-space', undefined],
    )
    expect(admission.space).toMatchObject({ state: 'full', reason: 'the disk is all but full' })
    admission.refuseGrowth(undefined)
    expect(admission.refusal(grant, 100)).toBeUndefined()
  })

  test('the number of leases, and of keys on one, is bounded', () => {
    const model = new StoreModel()
    const admission = new StoreAdmission(model, { leasesMax: 2, keysPerLeaseMax: 3 })
    model.apply(grant)
    expect(admission.refusal(grant, 10)).toBeUndefined()
    model.apply(grant)
    expect(admission.refusal(grant, 10)?.message).toContain('there are 2 leases')
    model.apply(txn([put('a', 1, 1), put('b', 1, 1), put('c', 1, 1)]))
    expect(admission.refusal(txn([put('d', 1, 1)]), 10)?.message).toContain('lease 1 has 3 keys')
    expect(admission.refusal(txn([put('d', 1, 2)]), 10)).toBeUndefined()
  })

  test('requests over a tighter limit are refused by field, and limits are checked themselves', () => {
    const request = { keyBytesMax: 3, valueBytesMax: 10, txnOperationsMax: 2, txnBytesMax: 15 }
    const admission = new StoreAdmission(new StoreModel(), { request })
    const value = { target: 'value', key: 'a', op: '=', value: bytesFromText('01234567890') } as const
    const cases: [StoreCommand, string][] = [
      [txn([put('long')]), 'then[0].key has 4 bytes, but at most 3 are allowed here'],
      [txn([], [put('a', 11)]), 'else[0].value has 11 bytes, but at most 10'],
      [txn([put('a'), put('b'), put('c')]), 'then has 3 entries, but at most 2'],
      [txn([put('a', 8), put('b', 8)]), 'the transaction has 18 bytes, but at most 15'],
      [txn([{ op: 'range', key: 'a', end: 'long' }]), 'then[0].key has 4 bytes'],
      [{ ...noSession, type: 'txn', compare: [value], then: [], else: [] }, 'compare[0].value has 11 bytes'],
    ]
    for (const [command, message] of cases) {
      const refusal = admission.refusal(command, 10)
      expect(refusal).toMatchObject({ code: 'too-large', outcome: 'none' })
      expect(refusal?.message).toContain(message)
    }
    expect(admission.refusal(txn([put('abc', 10)]), 10)).toBeUndefined()
    for (const bounds of [
      { quotaBytes: 5 },
      { leasesMax: 0 },
      { leasesMax: 1_000_001 },
      { keysPerLeaseMax: 1.5 },
      { request: { valueBytesMax: 2 ** 30 } },
      { request: { keyBytesMax: 0 } },
    ])
      expect(() => new StoreAdmission(new StoreModel(), bounds)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      )
  })
})
