import { openLocalStore } from 'althing/engines'
import { differentialRun, runConformance, storeConformance } from 'althing/testing/conformance'
import { createNodeWorld } from 'althing/world'

const world = createNodeWorld({ dataFolder: './data' })
const open = () => openLocalStore({ world }) // your engine
const bed = { world, open }

const first = await open()
const cases = storeConformance({ capabilities: first.capabilities, abilities: ['bulk-renewal'] })
const { passed, failed, absent } = await runConformance(
  cases.filter(({ area }) => area === 'comparisons' || area === 'faults'),
  bed,
)
console.log(`${passed.length} passed, ${failed.length} failed, ${absent.length} do not apply`)
console.log(absent[0]?.case.absence)

const { difference } = await differentialRun({ stores: [first], world, seed: 1, commands: 200 })
console.log(difference?.text ?? 'as the model')
await first.close()
