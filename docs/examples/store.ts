import { open } from 'althing'

const althing = await open('memory:')
const { store } = althing

await store.put('stock/apples', 3)
await store.update('stock/apples', (old) => Number(old ?? 0) - 1) // compare and write, again after a conflict

const { succeeded } = await store
  .transaction()
  .if('stock/apples', 'value', '=', 2)
  .ifAbsent('stock/pears')
  .thenPut('stock/pears', 5)
  .commit()
const { items } = await store.list('stock/')
console.log(
  succeeded,
  items.map(({ key, value }) => `${key} ${String(value)}`),
)

const lease = await store.grantLease('10s')
await store.put('here/me', true, { lease }) // goes when the lease ends
await althing.close()
