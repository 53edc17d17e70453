import { runClosedLoop } from './closed-loop.ts'
import { connect, connectStore } from './connect.ts'
import { runEngineRates } from './engine-rates.ts'
import { runEngineRecipe } from './engine-recipes.ts'
import { runFanOut } from './fan-out.ts'
import type { LoadRequest } from './load.ts'
import { runLocks } from './locks.ts'

async function run(request: LoadRequest): Promise<unknown> {
  if (request.kind === 'engine-rates') return await runEngineRates(request)
  if (request.kind === 'engine-recipe') return await runEngineRecipe(request)
  if (request.kind === 'locks') return await runLocks(request)
  if (request.kind === 'fan-out') {
    const driver = await connectStore(request.target)
    const report = await runFanOut(driver, request)
    await driver.close()
    return report
  }
  const driver = await connect(request.target)
  const report = await runClosedLoop(driver, request)
  await driver.close()
  return report
}

const report = await run(JSON.parse(process.argv[2] ?? '') as LoadRequest)
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0))
