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
const { items, revision } = await store.list('stock/')
console.log(
  succeeded,
  items.map(({ key, value }) => `${key} ${String(value)}`),
)

await store.put('stock/figs', 7)
// All that changed after the list: a watch begins with its loop, and this one began later than the change.
for await (const change of store.watchPrefix('stock/', { fromRevision: revision + 1 })) {
  if (change.type === 'put') console.log(change.item.key, change.item.value)
  break
}

const lease = await store.grantLease('10s')
await store.put('here/me', true, { lease }) // goes when the lease ends
await althing.close()
