import { strict as check } from 'node:assert'
import type { Compare, CompareOp } from '../../../contracts/store.ts'
import type { CaseDefinition } from '../conformance-case.ts'
import { bytesOf } from '../plain.ts'
import type { Scene } from '../scene.ts'

const ops: readonly CompareOp[] = ['=', '!=', '<', '>']

/** Which operators hold between the key's side and something below, equal to, and above it. */
const holding = { below: '!= >', equal: '=', above: '!= <' } as const

async function operatorsThatHold(scene: Scene, compareWith: (op: CompareOp) => Compare): Promise<string> {
  const holds: CompareOp[] = []
  for (const op of ops) {
    if ((await scene.store.txn({ compare: [compareWith(op)] })).succeeded) holds.push(op)
  }
  return holds.join(' ')
}

type NumberTarget = Exclude<Compare['target'], 'value'>

async function checkNumber(scene: Scene, target: NumberTarget, name: string, actual: number): Promise<void> {
  const sides = { below: actual - 1, equal: actual, above: actual + 1 } as const
  for (const side of ['below', 'equal', 'above'] as const) {
    const value = sides[side]
    if (value < 0) continue
    const found = await operatorsThatHold(scene, (op) => ({ target, key: scene.key(name), op, value }))
    check.equal(found, holding[side], `operators that hold between ${target} ${actual} and ${value}`)
  }
}

/** All targets, operators and sides. */
export const comparisonCases: readonly CaseDefinition[] = [
  {
    name: 'versions and revisions are compared as numbers',
    async play(scene) {
      const made = await scene.put('a', '1')
      await scene.put('a', '2')
      const changed = await scene.put('a', '3')
      await checkNumber(scene, 'version', 'a', 3)
      await checkNumber(scene, 'createRevision', 'a', made)
      await checkNumber(scene, 'modRevision', 'a', changed)
    },
  },
  {
    name: 'leases are compared by their ids, and none is 0',
    async play(scene) {
      const { lease } = await scene.grant()
      await scene.put('bound', '1', lease)
      await scene.put('free', '1')
      await checkNumber(scene, 'lease', 'bound', lease)
      await checkNumber(scene, 'lease', 'free', 0)
    },
  },
  {
    name: 'a missing key has version, revisions and lease 0',
    async play(scene) {
      for (const target of ['version', 'createRevision', 'modRevision', 'lease'] as const) {
        await checkNumber(scene, target, 'missing', 0)
      }
    },
  },
  {
    name: 'values are compared by their bytes, the shorter first',
    async play(scene) {
      await scene.put('a', 'm\u0080')
      for (const [side, value] of [
        ['below', ''],
        ['below', 'm'],
        ['below', 'm\u007f'],
        ['below', 'm\u007f\u00ff'],
        ['equal', 'm\u0080'],
        ['above', 'm\u0080\u0000'],
        ['above', 'm\u0081'],
        ['above', 'm\u00ff'],
        ['above', 'n'],
      ] as const) {
        const compareWith = (op: CompareOp): Compare => ({
          target: 'value',
          key: scene.key('a'),
          op,
          value: bytesOf(value),
        })
        const found = await operatorsThatHold(scene, compareWith)
        check.equal(
          found,
          holding[side],
          `operators that hold between the value and ${JSON.stringify(value)}`,
        )
      }
    },
  },
  {
    name: 'no comparison of the value of a missing key holds, != neither',
    async play(scene) {
      for (const value of ['', 'x']) {
        const compareWith = (op: CompareOp): Compare => ({
          target: 'value',
          key: scene.key('missing'),
          op,
          value: bytesOf(value),
        })
        check.equal(await operatorsThatHold(scene, compareWith), '')
      }
    },
  },
  {
    name: 'a deleted key is a missing one',
    async play(scene) {
      await scene.put('a', '1')
      await scene.delete('a')
      for (const target of ['version', 'createRevision', 'modRevision'] as const) {
        await checkNumber(scene, target, 'a', 0)
      }
    },
  },
]
