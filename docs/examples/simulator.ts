import { type Althing, open } from 'althing'
import {
  drawFaultPlan,
  FaultInjector,
  minorityOf,
  parseFaultClasses,
  Simulation,
} from 'althing/testing/world'

/** Your program: all it needs comes from the world it is given. It counts, durably, ten times a second. */
let service: Althing | undefined
const simulation = new Simulation({ seed: 42 })
const node = simulation.process('n1', async (world) => {
  service = await open('file:.', { world })
  const { store } = service
  const count = async (): Promise<void> => {
    await store.update('count', (old) => Number(old ?? 0) + 1)
    world.timers.after(100, () => void count())
  }
  await count()
})

await simulation.runUntil(10_000) // ten virtual seconds
node.crash('power')
node.start()

const injector = new FaultInjector(simulation, {
  processes: [node],
  plan: drawFaultPlan(simulation.random('plan'), parseFaultClasses('pause,clock-drift,slow-disk')),
  rule: minorityOf([node]),
})
injector.start()
await simulation.runUntil(30_000)
injector.heal()
await simulation.runUntil(35_000)

let counted = 0
void service?.store.get('count').then((item) => (counted = Number(item?.value)))
await simulation.runUntil(() => counted > 0, { limitMs: 5_000 })
console.log(counted > 100, node.startCount)
