import { strict as check } from 'node:assert'
import type { ConformanceOptions } from './bed.ts'
import { boundCases } from './cases/bounds.ts'
import { callCases } from './cases/calls.ts'
import { comparisonCases } from './cases/comparisons.ts'
import { concurrencyCases } from './cases/concurrency.ts'
import { faultCases } from './cases/faults.ts'
import { leaseTimingCases } from './cases/lease-timing.ts'
import { leaseCases } from './cases/leases.ts'
import { olderReadCases, readCases } from './cases/reads.ts'
import { revisionCases } from './cases/revisions.ts'
import { transactionCases } from './cases/transactions.ts'
import { resumeCases, watchCases, watchEndCases } from './cases/watches.ts'
import { type CaseDefinition, type ConformanceCase, toCase } from './conformance-case.ts'

const areas: readonly (readonly [area: string, cases: readonly CaseDefinition[]])[] = [
  ['reads', readCases],
  ['older reads', olderReadCases],
  ['revisions', revisionCases],
  ['transactions', transactionCases],
  ['comparisons', comparisonCases],
  ['bounds', boundCases],
  ['leases', leaseCases],
  ['the time of leases', leaseTimingCases],
  ['watches', watchCases],
  ['resuming a watch', resumeCases],
  ['the end of a watch', watchEndCases],
  ['calls', callCases],
  ['faults', faultCases],
  ['concurrency', concurrencyCases],
]

/**
 * The conformance suite of the store contract: what every engine must do, and what this one claims to do beside it. Knows no test runner: register each case with
 * yours, or run them with {@link runConformance}. A case that does not apply says why (`absence`), so that no gap is silent.
 */
export function storeConformance(options: ConformanceOptions): readonly ConformanceCase[] {
  const declaration: CaseDefinition = {
    name: 'the engine states its capabilities, and has what it was said to have',
    async play(scene) {
      const { store } = scene
      check.deepEqual(store.capabilities, options.capabilities)
      check.equal(store.keepLeasesAlive !== undefined, scene.has('bulk-renewal'), 'keepLeasesAlive')
    },
  }
  return [['declarations', [declaration]] as const, ...areas].flatMap(([area, definitions]) =>
    definitions.map((definition) => toCase(area, definition, options)),
  )
}
