import { open } from 'althing'

const althing = await open('memory:')

// The same on every instance: one of them runs each occurrence.
const invoices = await althing.cron.schedule({
  name: 'invoices',
  schedule: '0 3 * * *',
  timeZone: 'Europe/Berlin',
  missed: 'run-once',
  overlap: 'skip',
  timeout: '1h',
  run: async (run) => {
    run.signal.throwIfAborted()
    const sent = new TextEncoder().encode(run.id)
    // Refused by the store if the run is not this one's any more.
    await run.txn({ then: [{ op: 'put', key: 'invoices/last', value: sent }] })
    return { sent: 42 }
  },
})

await althing.cron.runNow('invoices')
let [last] = await althing.cron.history('invoices')
while (last === undefined) [last] = await althing.cron.history('invoices')
console.log(`${last.kind} run ${last.outcome}: ${last.result}`)

const [listed] = await althing.cron.list()
console.log(listed?.nextMs === invoices.nextMs())
await althing.close()
