import { type Althing, open } from '../../src/index.ts'

/**
 * How long a write of a configuration takes to reach each of many readers: from the call until its callback. Their clients are spread over the nodes of the URL.
 *
 *     node dist/bench/scale/config-push.js althing://HOST:PORT,HOST:PORT,HOST:PORT READERS WRITES
 */
const [url = '', readersText = '1000', writesText = '40'] = process.argv.slice(2)
const readersCount = Number(readersText)
const addresses = url.replace('althing://', '').split(',')
const clients: Althing[] = await Promise.all(addresses.map((address) => open(`althing://${address}`)))
const writer = await open(url)
await writer.config.set('bench', { n: 0 }, { author: 'bench' })
const latenciesMs: number[] = []
const round = { n: 0, startMs: 0, pending: 0, end: (): void => {} }

const readers = Array.from({ length: readersCount }, (_, i) =>
  (clients[i % clients.length] as Althing).config.open('bench', { instance: `i${i}`, report: false }),
)
await Promise.all(readers.map(({ ready }) => ready))
for (const reader of readers)
  reader.subscribe(({ values }) => {
    if (values['n'] !== round.n || round.n === 0) return
    latenciesMs.push(performance.now() - round.startMs)
    round.pending -= 1
    if (round.pending === 0) round.end()
  })
for (let n = 1; n <= Number(writesText); n++) {
  const all = new Promise<void>((resolve) => {
    Object.assign(round, { n, startMs: performance.now(), pending: readersCount, end: resolve })
  })
  await writer.config.set('bench', { n }, { author: 'bench' })
  await all
}
latenciesMs.sort((a, b) => a - b)
const at = (share: number): number =>
  Math.round((latenciesMs[Math.floor(share * (latenciesMs.length - 1))] ?? 0) * 10) / 10
process.stdout.write(
  `${JSON.stringify({ readers: readersCount, samples: latenciesMs.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) })}\n`,
)
await Promise.all([...clients, writer].map((each) => each.close()))
