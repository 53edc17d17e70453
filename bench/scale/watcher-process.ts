import { openOurs } from '../our-driver.ts'
import { type Arrivals, monotonicMs, type WatcherRequest } from './watchers.ts'

/** Holds many watchers on some connections, and tells when the last of them has seen each change. */
const request = JSON.parse(process.argv[2] ?? '') as WatcherRequest
const drivers = await Promise.all(
  Array.from({ length: request.connections }, () => openOurs([request.address])),
)
const watchers = request.connections * request.watchersEach
const seen: number[] = []
const lastMs: number[] = []
for (const driver of drivers) {
  for (let i = 0; i < request.watchersEach; i++)
    await driver.watchPrefix(request.prefix, (numbers) => {
      for (const number of numbers) {
        seen[number] = (seen[number] ?? 0) + 1
        if (seen[number] === watchers) lastMs[number] = monotonicMs()
      }
    })
}
process.send?.('ready')
process.on('message', () => {
  const missing = seen.flatMap((count, number) => (count === watchers ? [] : [number]))
  const arrivals: Arrivals = { lastMs, missing }
  process.send?.(arrivals, () => process.exit(0))
})
