import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../../base/json-value.ts'
import type { Operation } from '../history/operation.ts'
import { followsRevisionsByBruteForce, isLinearizableByBruteForce } from './brute-force-twin.ts'
import { checkLinearizability } from './linearizability.ts'
import { modelByName, modelNames } from './models/by-name.ts'
import { registerModel } from './models/register.ts'
import { versionedKvModel } from './models/versioned-kv.ts'
import type { AnySequentialModel } from './sequential-model.ts'
import { countingClock, fixedClock, op } from './test-histories.ts'

const check = (model: AnySequentialModel, operations: readonly Operation[]) =>
  checkLinearizability(model, operations, { clock: fixedClock })

describe('equal times', () => {
  test('an operation that returns when another is called is concurrent with it', () => {
    const history = [op(0, 5, 'write', 1), op(5, 9, 'read', undefined, null, { index: 1 })]
    expect(check(registerModel(), history).verdict).toBe('ok')
  })

  test('an operation that returns before another is called comes first', () => {
    const history = [op(0, 4, 'write', 1), op(5, 9, 'read', undefined, null, { index: 1 })]
    expect(check(registerModel(), history).verdict).toBe('violation')
  })
})

describe('bounds', () => {
  const hard = hardHistory(18)

  test('a history that cannot be judged in the time given is unknown, and says why', () => {
    const result = checkLinearizability(registerModel(), hard, { clock: countingClock(10), timeLimitMs: 15 })
    expect(result).toMatchObject({ verdict: 'unknown', reason: 'the time limit of 15 ms was reached' })
  })

  test('a history that cannot be judged in the memory given is unknown', () => {
    const result = checkLinearizability(registerModel(), hard, { clock: fixedClock, memoryWordsMax: 1000 })
    expect(result).toMatchObject({ verdict: 'unknown', reason: expect.stringContaining('memory bound') })
  })

  test('a part that is plainly wrong is found although one before it cannot be finished', () => {
    const wrong = [op(0, 1, 'write', 1, null, { key: 'z' }), op(2, 3, 'read', undefined, 2, { key: 'z' })]
    const history = [...hard.map((o) => ({ ...o, key: 'a' })), ...wrong].map((operation, index) => ({
      ...operation,
      index,
    }))
    const result = checkLinearizability(registerModel(), history, {
      clock: countingClock(1),
      timeLimitMs: 15,
    })
    expect(result).toMatchObject({ verdict: 'violation', violation: { part: 'z' } })
  })

  test('progress is told while it works', () => {
    let told = 0
    const onProgress = () => {
      told += 1
    }
    checkLinearizability(registerModel(), hard, { clock: countingClock(1), timeLimitMs: 15, onProgress })
    expect(told).toBeGreaterThan(5)
  })
})

describe('unknown outcomes', () => {
  test('many crashed writes that nobody read cost nothing', () => {
    const crashed = Array.from({ length: 40 }, (_, i) => op(i, undefined, 'write', i))
    const reads = Array.from({ length: 20 }, (_, i) => op(100 + 2 * i, 101 + 2 * i, 'read', undefined, null))
    const history = [...crashed, ...reads].map((operation, index) => ({ ...operation, index }))
    const result = check(registerModel(), history)
    expect(result.verdict).toBe('ok')
    expect(result.steps).toBeLessThan(100)
  })

  test('a crashed write may take effect long after its call', () => {
    const history = [
      op(0, undefined, 'write', 1),
      op(1, 2, 'write', 2, null, { index: 1 }),
      op(3, 4, 'read', undefined, 2, { index: 2 }),
      op(5, 6, 'read', undefined, 1, { index: 3 }),
    ]
    expect(check(registerModel(), history).verdict).toBe('ok')
  })

  test('but only once', () => {
    const history = [
      op(0, undefined, 'write', 1),
      op(1, 2, 'read', undefined, 1, { index: 1 }),
      op(3, 4, 'write', 2, null, { index: 2 }),
      op(5, 6, 'read', undefined, 1, { index: 3 }),
    ]
    expect(check(registerModel(), history).verdict).toBe('violation')
  })
})

test('a violation names the part, how far an order comes, and the operation that cannot be placed', () => {
  const history = [
    op(0, 1, 'write', 1, null, { key: 'a' }),
    op(2, 3, 'write', 2, null, { key: 'a', index: 1 }),
    op(4, 5, 'read', undefined, 1, { key: 'a', index: 2 }),
    op(0, 1, 'write', 9, null, { key: 'b', index: 3 }),
  ]
  const { violation } = check(registerModel(), history)
  expect(violation).toMatchObject({ part: 'a', stateAfterLongest: '2', blocked: { index: 2 } })
  expect(violation?.longest.map(({ index }) => index)).toEqual([0, 1])
})

describe.each(modelNames)('model %s', (name) => {
  const model = modelByName(name) as AnySequentialModel

  test('agrees with the definition tried out on every order, on executions as they were and with a result changed', () => {
    const verdicts = { ok: 0, violation: 0 }
    fc.assert(
      fc.property(execution(name), (history) => {
        const expected = isLinearizableByBruteForce(model, history) ? 'ok' : 'violation'
        const { verdict } = check(model, history)
        verdicts[expected] += 1
        if (name === 'versioned-kv' && expected === 'ok') expectRevisionVerdict(history, verdict)
        else expect(verdict).toBe(expected)
      }),
      { numRuns: 1500, seed: 7 },
    )
    // A generator that made only one kind would prove nothing.
    expect(Math.min(verdicts.ok, verdicts.violation)).toBeGreaterThan(40)
  })

  test('accepts what really happened in one order', () => {
    fc.assert(
      fc.property(execution(name, false), (history) => {
        expect(check(model, history).verdict).toBe('ok')
      }),
      { numRuns: 300, seed: 11 },
    )
  })
})

/** Every key is in order by itself: what is left is the order of revisions over all keys. */
function expectRevisionVerdict(history: readonly Operation[], verdict: string): void {
  const model = versionedKvModel()
  const follows = followsRevisionsByBruteForce(model, history, (decoded) => ({
    made: decoded.type === 'change' ? decoded.revision : undefined,
    seen: decoded.storeRevision,
  }))
  if (follows) expect(verdict).toBe('ok')
  const tells = (o: Operation) =>
    o.outcome === 'ok' && !(o.op === 'get' && !JSON.stringify(o.output).includes('evision'))
  if (!follows && history.filter((o) => o.outcome !== 'fail').every(tells)) expect(verdict).toBe('violation')
}

/** One key, values that are read in an order that no write order allows: every order of the writes must be tried. */
function hardHistory(width: number): Operation[] {
  const writes = Array.from({ length: width }, (_, i) => op(0, 100, 'write', i, null, { process: `w${i}` }))
  const reads = Array.from({ length: width }, (_, i) => op(1, 99, 'read', undefined, i, { process: `r${i}` }))
  const last = op(200, 201, 'read', undefined, 'never written')
  return [...writes, ...reads, last].map((operation, index) => ({ ...operation, index }))
}

/** What an object with one lock around it does: operations get intervals around the moment at which they are applied. */
function execution(name: string, isMutated = true): fc.Arbitrary<Operation[]> {
  const one = fc.record({
    choice: fc.nat(99),
    argument: fc.integer({ min: 1, max: 2 }),
    before: fc.nat(12),
    after: fc.nat(12),
    outcome: fc.constantFrom('ok', 'ok', 'ok', 'ok', 'unknown', 'fail'),
    isApplied: fc.boolean(),
    key: fc.constantFrom('a', 'a', 'b'),
  })
  const mutation = fc.record({ at: fc.nat(6), by: fc.nat(3), isOn: fc.boolean() })
  return fc.tuple(fc.array(one, { minLength: 2, maxLength: 6 }), mutation).map(([draws, change]) => {
    const object = referenceObjects[name]?.()
    if (object === undefined) throw new Error(`no reference object for model ${name}`)
    const history = draws.map((draw, index): Operation => {
      const moment = index * 4
      const isUnknown = draw.outcome === 'unknown'
      const hasEffect = draw.outcome === 'ok' || (isUnknown && draw.isApplied)
      const asked = object.ask(draw.key, draw.choice, draw.argument)
      const output = hasEffect ? asked.perform() : undefined
      return {
        index,
        process: `p${index}`,
        op: asked.op,
        key: draw.key,
        input: asked.input,
        output: draw.outcome === 'ok' ? output : undefined,
        outcome: draw.outcome as Operation['outcome'],
        calledAt: moment - draw.before,
        returnedAt: isUnknown ? Number.POSITIVE_INFINITY : moment + draw.after,
      }
    })
    return isMutated && change.isOn ? mutate(history, change.at, change.by) : history
  })
}

function mutate(history: readonly Operation[], at: number, by: number): Operation[] {
  return history.map((operation, i) => {
    if (i !== at % history.length || operation.outcome !== 'ok') return operation
    const output = operation.op === 'txn' ? [by + 1, null] : changed(operation.output, by)
    return { ...operation, output }
  })
}

function changed(output: JsonValue | undefined, by: number): JsonValue | undefined {
  if (typeof output === 'boolean') return !output
  if (typeof output === 'number') return output + by + 1
  if (Array.isArray(output)) return by === 0 ? [...output, 7] : output.slice(1)
  if (typeof output !== 'object' || output === null) return output
  const members = Object.entries(output)
  const [member, value] = members[by % members.length] ?? ['', null]
  return { ...output, [member]: changed(value as JsonValue, by) ?? null }
}

interface Asked {
  readonly op: string
  readonly input?: JsonValue
  perform(): JsonValue | undefined
}

interface ReferenceObject {
  ask(key: string, choice: number, argument: number): Asked
}

const referenceObjects: Readonly<Record<string, () => ReferenceObject>> = {
  register: () => cells(['read', 'write']),
  'cas-register': () => cells(['read', 'write', 'cas']),
  kv: () => cells(['get', 'put', 'cas', 'delete', 'txn']),
  'versioned-kv': versionedCells,
  lock: locks,
  counter: counters,
  set: sets,
  queue: queues,
}

function cells(ops: readonly string[]): ReferenceObject {
  const values = new Map<string, JsonValue>()
  return {
    ask(key, choice, argument) {
      const name = ops[choice % ops.length] as string
      const read = () => values.get(key) ?? null
      const write = (value: JsonValue) => {
        values.set(key, value)
        return null
      }
      switch (name) {
        case 'cas': {
          const expected = (choice % 2) + 1
          return {
            op: name,
            input: [expected, argument],
            perform: () => read() === expected && write(argument) === null,
          }
        }
        case 'delete':
          return { op: name, perform: () => values.delete(key) }
        case 'txn': {
          const steps = [
            ['get', 'b'],
            ['put', 'a', argument],
          ]
          return {
            op: name,
            input: steps,
            perform: () => {
              const seen = values.get('b') ?? null
              values.set('a', argument)
              return [seen, null]
            },
          }
        }
        case 'read':
        case 'get':
          return { op: name, perform: read }
        default:
          return { op: name, input: argument, perform: () => write(argument) }
      }
    },
  }
}

function versionedCells(): ReferenceObject {
  const kvs = new Map<string, { value: JsonValue; modRevision: number }>()
  let revision = 0
  const put = (key: string, value: JsonValue) => {
    revision += 1
    kvs.set(key, { value, modRevision: revision })
    return { revision }
  }
  return {
    ask(key, choice, argument) {
      const expected = choice % 5
      switch (choice % 4) {
        case 0:
          return {
            op: 'get',
            perform: () => ({ ...kvs.get(key), ...(choice % 3 === 0 ? { revision } : {}) }),
          }
        case 1:
          return { op: 'put', input: argument, perform: () => put(key, argument) }
        case 2:
          return {
            op: 'delete',
            perform: () => {
              const deleted = kvs.delete(key)
              if (deleted) revision += 1
              return { deleted, revision }
            },
          }
        default:
          return {
            op: 'cas',
            input: { expected, value: argument },
            perform: () => {
              const succeeded = (kvs.get(key)?.modRevision ?? 0) === expected
              return succeeded ? { succeeded, ...put(key, argument) } : { succeeded, revision }
            },
          }
      }
    },
  }
}

function locks(): ReferenceObject {
  const held = new Map<string, number>()
  let token = 0
  return {
    ask(key, choice, argument) {
      if (choice % 2 === 0) {
        return {
          op: 'acquire',
          perform: () => {
            if (held.has(key)) return null
            token += 1
            held.set(key, token)
            return token
          },
        }
      }
      const given = argument
      const release = () => held.get(key) === given && held.delete(key)
      return { op: choice % 3 === 0 ? 'expire' : 'release', input: given, perform: release }
    },
  }
}

function counters(): ReferenceObject {
  const sums = new Map<string, number>()
  return {
    ask(key, choice, argument) {
      if (choice % 2 === 0) return { op: 'read', perform: () => sums.get(key) ?? 0 }
      const add = () => {
        const sum = (sums.get(key) ?? 0) + argument
        sums.set(key, sum)
        return choice % 3 === 0 ? sum : undefined
      }
      return { op: 'add', input: argument, perform: add }
    },
  }
}

function sets(): ReferenceObject {
  const elements = new Map<string, Set<number>>()
  return {
    ask(key, choice, argument) {
      const set = elements.get(key) ?? new Set()
      elements.set(key, set)
      switch (choice % 4) {
        case 0:
          return { op: 'read', perform: () => [...set] }
        case 1:
          return { op: 'contains', input: argument, perform: () => set.has(argument) }
        case 2:
          return {
            op: 'add',
            input: argument,
            perform: () => {
              const isNew = !set.has(argument)
              set.add(argument)
              return choice % 3 === 0 ? isNew : undefined
            },
          }
        default:
          return { op: 'remove', input: argument, perform: () => set.delete(argument) }
      }
    },
  }
}

function queues(): ReferenceObject {
  const queue = new Map<string, number[]>()
  return {
    ask(key, choice, argument) {
      const items = queue.get(key) ?? []
      queue.set(key, items)
      if (choice % 2 === 0) return { op: 'dequeue', perform: () => items.shift() ?? null }
      return {
        op: 'enqueue',
        input: argument,
        perform: () => {
          items.push(argument)
          return undefined
        },
      }
    },
  }
}
