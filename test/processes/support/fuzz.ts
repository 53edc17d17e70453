import { Packr } from 'msgpackr'
import type { Random } from '../../../src/contracts/world.ts'
import { encodeCommand } from '../../../src/models/store/codec.ts'
import type { StoreCommand } from '../../../src/models/store/types.ts'

const packr = new Packr({ useRecords: false, int64AsType: 'number' })

export const pack = (value: unknown): Uint8Array => packr.pack(value)

/** Any value that MessagePack can hold, of bounded depth. */
export function anyValue(random: Random, depth = 3): unknown {
  const kind = random.integer(0, depth > 0 ? 9 : 7)
  switch (kind) {
    case 0:
      return null
    case 1:
      return random.float() < 0.5
    case 2:
      return random.integer(-5, 300)
    case 3:
      return random.integer(-(2 ** 53 - 1), 2 ** 53 - 1)
    case 4:
      return random.float() * 1e9
    case 5:
      return Number.NaN
    case 6:
      return Buffer.from(random.bytes(random.integer(0, 40))).toString('latin1')
    case 7:
      return random.bytes(random.integer(0, 40))
    case 8:
      return Array.from({ length: random.integer(0, 6) }, () => anyValue(random, depth - 1))
    default:
      return Object.fromEntries(
        ['key', 'type', '__proto__', 'length'].map((name) => [name, anyValue(random, depth - 1)]),
      )
  }
}

/** No session: applied as they come, with nobody's replies in danger. */
const stamp = { session: 0, sequence: 0, acknowledged: 0 } as const
/** Where the session stands in an encoded command. Left alone: another client's session is not ours to close. */
const sessionOffset = 2

const sampleCommands: readonly StoreCommand[] = [
  { type: 'openSession', ownerKey: 'fuzz' },
  { ...stamp, type: 'grantLease', ttlMs: 60_000 },
  { ...stamp, type: 'revokeLease', lease: 77 },
  { ...stamp, type: 'compact', revision: 1 },
  {
    ...stamp,
    type: 'txn',
    compare: [{ target: 'version', key: 'fuzz', op: '=', value: 0 }],
    then: [{ op: 'put', key: 'fuzz', value: Buffer.from('x'), previous: true }],
    else: [{ op: 'range', key: 'fuzz', end: null, limit: 1, order: 'descending' }],
  },
]

/** A command as a client would encode it, with one to three bytes changed. */
export function damagedCommand(random: Random): Uint8Array {
  const command = sampleCommands[random.integer(0, sampleCommands.length - 1)] as StoreCommand
  const bytes = Buffer.from(encodeCommand(command))
  for (let changes = random.integer(1, 3); changes > 0; changes--) {
    const at = random.integer(0, bytes.length - 1)
    if (at !== sessionOffset) bytes[at] = random.integer(0, 255)
  }
  return bytes
}
