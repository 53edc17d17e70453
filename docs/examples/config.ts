import { open } from 'althing'
import { z } from 'zod'

const schema = z.object({ pool: z.number().int().min(1).max(100), region: z.string() })
const althing = await open('memory:')
const { config } = althing

await config.set('*', { region: 'north' }, { author: 'ada' }) // the layer that all services share
await config.set('orders', { pool: 10 }, { author: 'ada', message: 'first', schema })
await config.setSchema('orders', schema, { author: 'ada' }) // from now on whoever writes is checked

const settings = config.open('orders', { schema, instance: 'orders-1' })
await settings.ready
console.log(settings.get('pool'), settings.get('region'), settings.version)

await config.set('orders', { pool: 0 }, { author: 'ben' }).catch((error) => console.log(error.details.field))

await config.set('orders', { pool: 20 }, { author: 'ben', release: { share: 10 } }) // a tenth of the instances
await config.promote('orders', { author: 'ben', message: 'looks well' })
for await (const { values, version } of settings.changes) {
  if (version < 3) continue
  console.log(values.pool)
  break
}

await config.rollback('orders', 1, { author: 'cy', message: 'too many connections' })
const [change] = await config.diff('orders', 3, 4)
console.log(change?.key, change?.before, change?.after)
await althing.close()
