import { open } from 'althing'
import { explainId, parseSnowflake } from 'althing/ids'

// A store in memory forgets what was given when the process ends: good for a test, and accepted by name.
const althing = await open('memory:', { accept: ['durable'] })

await using orders = await althing.ids.snowflake('orders', { label: 'billing-1' })
const id = orders.next() // a bigint, at once
const later = await orders.nextAsync() // waits for the clock or the store where it must
console.log(id < later, parseSnowflake(id).worker === orders.hold?.worker, orders.nextText().length)

const explained = await althing.ids.explain(id, { namespace: 'orders' })
if (explained.kind === 'snowflake') console.log(explained.holder?.label)

const invoices = althing.ids.segment('invoices', { step: 1000, start: 1 })
console.log([await invoices.nextAsync(), invoices.next(), invoices.next()].join())

const [first, second] = [althing.ids.uuids.v7(), althing.ids.uuids.v7()]
console.log(first < second, explainId(first).kind)
await althing.close()
