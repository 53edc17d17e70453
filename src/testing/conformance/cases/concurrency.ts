import { strict as check } from 'node:assert'
import type { Store } from '../../../contracts/store.ts'
import { concurrentRun } from '../concurrent-run.ts'
import type { CaseDefinition } from '../conformance-case.ts'
import type { Scene } from '../scene.ts'

async function judged(scene: Scene, stores: readonly Store[], during?: () => Promise<void>): Promise<void> {
  const run = await concurrentRun({
    stores,
    world: scene.world,
    seed: 1,
    ...(during === undefined ? {} : { during, callsPerClient: 20 }),
  })
  for (const { result, shortest = [] } of [run.keys, run.txns]) {
    const history = shortest.map((operation) => JSON.stringify(operation)).join('\n')
    check.equal(result.verdict, 'ok', `${result.violation?.message ?? result.reason}\n${history}`)
  }
}

async function severalClients(scene: Scene): Promise<Store[]> {
  const stores: Store[] = []
  for (let n = 0; n < 4; n++) stores.push(await scene.open())
  return stores
}

/** Histories of calls at the same time, judged whole. */
export const concurrencyCases: readonly CaseDefinition[] = [
  {
    name: 'calls at the same time are linearizable: single keys, and transactions over several',
    proves: 'linearizable',
    play: (scene) => judged(scene, [scene.store]),
  },
  {
    name: 'calls of several clients are linearizable',
    proves: 'linearizable',
    needs: ['clients'],
    play: async (scene) => judged(scene, await severalClients(scene)),
  },
  {
    name: 'calls are linearizable through a change of leader',
    proves: 'linearizable',
    needs: ['clients', 'failover'],
    play: async (scene) => judged(scene, await severalClients(scene), () => scene.failover()),
  },
  {
    name: 'calls are linearizable through a restart',
    proves: 'linearizable',
    needs: ['clients', 'restart'],
    play: async (scene) => judged(scene, await severalClients(scene), () => scene.restart()),
  },
]
