import { afterAll, beforeAll, describe, test } from 'vitest'
import type { ConformanceBed, ConformanceOptions } from '../../src/testing/conformance/bed.ts'
import { storeConformance } from '../../src/testing/conformance/store-conformance.ts'

/** A bed that is closed when its cases are done. */
export interface TestBed extends ConformanceBed, AsyncDisposable {}

/** In place of {@link describeConformance} where the engine cannot be started here: `npm test` names it as not tested. */
export function describeUntested(engine: string, why: string): void {
  describe(`${engine} keeps the store contract`, () => {
    test('is not tested', ({ skip }) => skip(why))
  })
}

/** Registers the conformance suite for one engine. A case that does not apply is listed as skipped, with its reason. */
export function describeConformance(
  engine: string,
  options: ConformanceOptions,
  openBed: () => Promise<TestBed>,
): void {
  describe(`${engine} keeps the store contract`, () => {
    let bed: TestBed | undefined
    beforeAll(async () => {
      bed = await openBed()
    })
    afterAll(async () => {
      await bed?.[Symbol.asyncDispose]()
    })
    for (const each of storeConformance(options)) {
      test(`${each.area}: ${each.name}`, async ({ skip }) => {
        if (each.absence !== undefined) skip(`declared absence: ${each.absence}`)
        await each.run(bed as TestBed)
      })
    }
  })
}
