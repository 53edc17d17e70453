import { open } from 'althing'

const althing = await open('memory:')

const first = await althing.locks.acquire('page', { mode: 'read' })
const second = await althing.locks.tryAcquire('page', { mode: 'read' })
console.log(second?.isHeld) // true: readers share it
console.log(await althing.locks.tryAcquire('page')) // null: a writer waits for all of them
await first.release()
await second?.release()

const changed = await althing.locks.with('page', { mode: 'write' }, async ({ mode, lost }) =>
  lost.aborted ? 'lost' : mode,
)
console.log(changed)
await althing.close()
