import { type Althing, open } from '../../src/index.ts'
import { ownArea, type Figures, roundedFigures, tableOfOwn } from './ours-only.ts'

const readersOf = [1, 1_000] as const
const writes = 40
const service = 'bench'
const headline = '1000 readers: write to reader, p50 ms'

/** How long a write of a configuration takes to reach each of its readers: from the call until the callback. */
export const benchConfigPush = ownArea(async (cluster, print) => {
  const { addresses } = await cluster.target()
  const figures: Record<string, number> = {}
  for (const count of readersOf) Object.assign(figures, await measure(addresses, count))
  print(tableOfOwn('a configuration pushed to its readers', figures))
  const setup = { readers: readersOf, writes, ...roundedFigures(figures) }
  return { headline: figures[headline] ?? null, unit: 'ms', setup }
})

/** The readers' clients are spread over the members. */
async function measure(addresses: readonly string[], count: number): Promise<Figures> {
  const clients = await Promise.all(addresses.map((address) => open(`althing://${address}`)))
  const writer = await open(`althing://${addresses.join(',')}`)
  try {
    const latenciesMs = await push(writer, clients, count)
    latenciesMs.sort((a, b) => a - b)
    const at = (share: number): number => latenciesMs[Math.floor(share * (latenciesMs.length - 1))] ?? 0
    const name = `${count} readers: write to reader`
    return { [`${name}, p50 ms`]: at(0.5), [`${name}, p99 ms`]: at(0.99), [`${name}, max ms`]: at(1) }
  } finally {
    await Promise.all([...clients, writer].map((each) => each.close()))
  }
}

/** Each write waits until every reader has the one before. */
async function push(writer: Althing, clients: readonly Althing[], count: number): Promise<number[]> {
  const round = { n: 0, startMs: 0, pending: 0, end: (): void => {} }
  const latenciesMs: number[] = []
  await writer.config.set(service, { n: 0 }, { author: 'bench' })
  const readers = Array.from({ length: count }, (_, i) =>
    (clients[i % clients.length] as Althing).config.open(service, { instance: `i${i}`, report: false }),
  )
  await Promise.all(readers.map(({ ready }) => ready))
  for (const reader of readers) {
    reader.subscribe(({ values }) => {
      if (round.n === 0 || values['n'] !== round.n) return
      latenciesMs.push(performance.now() - round.startMs)
      round.pending -= 1
      if (round.pending === 0) round.end()
    })
  }
  for (let n = 1; n <= writes; n++) {
    const all = new Promise<void>((resolve) => {
      Object.assign(round, { n, startMs: performance.now(), pending: count, end: resolve })
    })
    await writer.config.set(service, { n }, { author: 'bench' })
    await all
  }
  return latenciesMs
}
