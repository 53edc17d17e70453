import type { CompareOp } from '../../../contracts/store.ts'
import { SeededRandom } from '../../world/seeded-random.ts'
import type {
  DrawnCommand,
  DrawnCompare,
  DrawnKeys,
  DrawnOperation,
  DrawnRange,
  LeaseReference,
  RevisionReference,
} from './command.ts'

const names = ['a', 'a\u0000', 'b', 'ba', 'c', 'd', 'e\u0080', '\u00ff']
const bounds = ['', ...names]
const compareOps: readonly CompareOp[] = ['=', '!=', '<', '>']

export interface DrawOptions {
  readonly seed: number | string
  readonly commands: number
  /** Leases left to run out: each takes the time of one. */
  readonly lapses: number
}

/** Random commands: the same for the same seed and number. */
export function drawCommands({ seed, commands, lapses }: DrawOptions): DrawnCommand[] {
  const random = new SeededRandom(seed).fork('commands')
  const drawn = Array.from({ length: commands }, () => drawCommand(random))
  for (let left = Math.min(lapses, commands); left > 0; left--) {
    const keys = random.shuffle(names).slice(0, random.integer(0, 3))
    drawn[random.integer(0, commands - 1)] = { type: 'lapse', via: random.integer(0, 9), keys }
  }
  return drawn
}

function drawCommand(random: SeededRandom): DrawnCommand {
  const via = random.integer(0, 9)
  const draw = random.integer(1, 100)
  if (draw <= 55) return { type: 'txn', via, ...drawTxn(random) }
  if (draw <= 78) return { type: 'range', via, ...drawRange(random) }
  if (draw <= 82) return { type: 'grant', via, ttlMs: random.integer(600_000, 700_000) }
  if (draw <= 84) return { type: 'renew', via, lease: drawLease(random) }
  if (draw <= 85) {
    const leases = Array.from({ length: random.integer(0, 4) }, () => drawLease(random))
    return { type: 'renewMany', via, leases }
  }
  if (draw <= 88) return { type: 'revoke', via, lease: drawLease(random) }
  if (draw <= 90) return { type: 'leases', via }
  if (draw <= 93) return { type: 'compact', via, at: { back: random.integer(-1, 30) } }
  if (draw <= 97) return { type: 'watch', via, ...drawWatch(random) }
  return { type: 'closeWatch', via, ago: random.integer(0, 5) }
}

function drawTxn(random: SeededRandom): {
  readonly compare: readonly DrawnCompare[]
  readonly then: readonly DrawnOperation[]
  readonly else: readonly DrawnOperation[]
} {
  const draw = random.float()
  if (draw < 0.35) return { compare: [], then: [drawPut(random)], else: [] }
  if (draw < 0.45) return { compare: [], then: [drawDelete(random)], else: [] }
  const several = (max: number): DrawnOperation[] =>
    Array.from({ length: random.integer(0, max) }, () => drawOperation(random))
  return {
    compare: Array.from({ length: random.integer(0, 2) }, () => drawCompare(random)),
    then: several(4),
    else: several(3),
  }
}

function drawOperation(random: SeededRandom): DrawnOperation {
  const draw = random.float()
  if (draw < 0.35) return { op: 'range', ...drawRange(random) }
  return draw < 0.8 ? drawPut(random) : drawDelete(random)
}

function drawPut(random: SeededRandom): DrawnOperation {
  const draw = random.float()
  const lease = draw < 0.4 ? 'none' : draw < 0.55 ? 'keep' : drawLease(random)
  return {
    op: 'put',
    key: random.pick(names),
    value: drawValue(random),
    lease,
    previous: random.chance(0.3),
  }
}

function drawDelete(random: SeededRandom): DrawnOperation {
  return { op: 'delete', keys: drawKeys(random, 0.7), previous: random.chance(0.4) }
}

function drawValue(random: SeededRandom): string {
  if (random.chance(0.05)) return ''
  const digit = String(random.integer(0, 9))
  return random.chance(0.02) ? digit.repeat(random.integer(100, 5_000)) : digit
}

function drawRange(random: SeededRandom): DrawnRange {
  const keysOnly = random.chance(0.2)
  return {
    keys: drawKeys(random, 0.3),
    limit: random.chance(0.3) ? random.integer(1, 4) : 0,
    order: random.chance(0.3) ? 'descending' : 'ascending',
    keysOnly,
    countOnly: random.chance(0.1),
    ...(random.chance(0.4) ? { at: { back: random.integer(-1, 40) } } : {}),
  }
}

function drawKeys(random: SeededRandom, single: number): DrawnKeys {
  if (random.chance(single)) return { key: random.pick(names) }
  return { key: random.pick(bounds), end: random.chance(0.4) ? null : random.pick(bounds) }
}

function drawCompare(random: SeededRandom): DrawnCompare {
  const key = random.pick(names)
  const op = random.pick(compareOps)
  switch (random.integer(1, 5)) {
    case 1:
      return { target: 'value', key, op, value: drawValue(random) }
    case 2:
      return { target: 'version', key, op, value: random.integer(0, 3) }
    case 3:
      return { target: 'createRevision', key, op, value: random.chance(0.5) ? 0 : drawRevision(random) }
    case 4:
      return { target: 'modRevision', key, op, value: random.chance(0.3) ? 0 : drawRevision(random) }
    default: {
      // Ids are ordered as the engine likes.
      const value = random.chance(0.5) ? 'none' : drawLease(random)
      return { target: 'lease', key, op: random.chance(0.5) ? '=' : '!=', value }
    }
  }
}

function drawRevision(random: SeededRandom): RevisionReference {
  return { back: random.integer(0, 15) }
}

function drawLease(random: SeededRandom): LeaseReference {
  // Mostly the newest: the older ones have ended, or their keys have been put anew without them.
  return random.chance(0.03) ? 'unknown' : { ago: random.integer(0, random.integer(0, 4)) }
}

function drawWatch(random: SeededRandom): {
  readonly keys: DrawnKeys
  readonly from?: RevisionReference
  readonly previous: boolean
} {
  const previous = random.chance(0.4)
  const keys = drawKeys(random, 0.3)
  return random.chance(0.3) ? { keys, previous } : { keys, previous, from: { back: random.integer(-4, 40) } }
}
