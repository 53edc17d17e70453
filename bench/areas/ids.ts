import { Snowflake as SapphireSnowflake } from '@sapphire/snowflake'
import { Snowflake as InternetFolksSnowflake } from '@theinternetfolks/snowflake'
import { open } from 'althing'
import { type SegmentIds, type SnowflakeGenerator, Uuids } from 'althing/ids'
import { createNodeWorld } from 'althing/world'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { v4, v7 } from 'uuid'
import type { Figure } from '../figure.ts'
import type { BenchOptions } from '../options.ts'
import { type AreaResult, formatNumber } from '../report.ts'
import { rounded } from '../statistics.ts'
import { rateOf, ratesInTurn, resultOfFigures } from './id-figures.ts'

const ceiling = 4_096
const batch = 1_000
const sliceMs = 50
const duplicatesAmong = 1_000_000

/** Speed of ids, and whether they repeat: ours beside packages that are much used, in a tight loop. */
export async function benchIds(options: BenchOptions, print: (text: string) => void): Promise<AreaResult> {
  const loadAtStart = rounded(loadavg()[0] ?? 0)
  const folder = mkdtempSync(join(tmpdir(), 'althing-bench-ids-'))
  const althing = await open(`file:${folder}`)
  try {
    const figures = [...(await uuidFigures(options)), ...(await storeFigures(options, althing.ids))]
    const duplicates = peersDuplicates()
    for (const [name, { share, perMs }] of Object.entries(duplicates))
      print(
        `${name}: ${(share * 100).toFixed(2)} % of ${duplicatesAmong} ids given twice, at ${formatNumber(perMs)} ids/ms`,
      )
    print('ours: no id given twice; every id of a round is greater than the one before')
    const setup = {
      ours: 'althing/ids; worker ids, marks and blocks in the engine file: on the temporary disk',
      peer: 'uuid 14.0.3; beside the snowflakes, their own ceiling',
      loadAtStart,
      duplicates,
    }
    return resultOfFigures(options, figures, setup, print)
  } finally {
    await althing.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function uuidFigures({ rounds, seconds }: BenchOptions): Promise<Figure[]> {
  const uuids = new Uuids(createNodeWorld({ dataFolder: '.' }))
  // Reading a character makes one piece of a text that is still a rope: as whoever sends or stores it does.
  let seen = 0
  const repeated = (make: () => string) =>
    rateOf(() => {
      for (let i = 0; i < batch; i++) seen ^= make().charCodeAt(35)
    }, batch)
  const ms = (seconds * 1_000) / 4
  const sevens = await ratesInTurn(
    rounds,
    ms,
    repeated(() => uuids.v7()),
    repeated(() => v7()),
  )
  const fours = await ratesInTurn(
    rounds,
    ms,
    repeated(() => uuids.v4()),
    repeated(() => v4()),
  )
  if (seen < 0) throw new Error('the characters of UUIDs are positive')
  return [
    { name: 'uuid v7', unit: 'ids/s', better: 'more', ...sevens, goal: { must: 5 } },
    { name: 'uuid v4 (beside crypto.randomUUID)', unit: 'ids/s', better: 'more', ...fours },
  ]
}

async function storeFigures(
  { rounds, seconds }: BenchOptions,
  ids: {
    snowflake(namespace: string): Promise<SnowflakeGenerator>
    segment(tag: string): SegmentIds
  },
): Promise<Figure[]> {
  await using snowflake = await ids.snowflake('bench')
  await using segment = ids.segment('bench')
  const rates = { snowflake: [] as number[], segment: [] as number[] }
  for (let round = 0; round <= rounds; round++) {
    const ofSnowflake = await snowflakesPerMs(snowflake, seconds * 1_000)
    const ofSegment = await segmentsPerSecond(segment, seconds * 500)
    if (round === 0) continue
    rates.snowflake.push(ofSnowflake)
    rates.segment.push(ofSegment)
  }
  const bound = (value: number) => Array.from({ length: rounds }, () => value)
  return [
    {
      name: 'snowflake, beside its ceiling',
      unit: 'ids/ms',
      better: 'more',
      ours: rates.snowflake,
      peer: bound(ceiling),
      goal: { must: 0.95, aim: 1 },
    },
    {
      name: 'segment, beside a million a second',
      unit: 'ids/s',
      better: 'more',
      ours: rates.segment,
      peer: bound(1_000_000),
      goal: { must: 1 },
    },
  ]
}

/** In slices, between which the loop turns: the mark is moved there. */
async function snowflakesPerMs(ids: SnowflakeGenerator, ms: number): Promise<number> {
  const startMs = performance.now()
  let [given, last] = [0, -1n]
  while (performance.now() - startMs < ms) {
    const endMs = performance.now() + sliceMs
    while (performance.now() < endMs) {
      for (let i = 0; i < batch; i++) {
        const id = ids.next()
        if (id <= last) throw new Error(`id ${id} came after ${last}`)
        last = id
      }
      given += batch
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return given / (performance.now() - startMs)
}

async function segmentsPerSecond(ids: SegmentIds, ms: number): Promise<number> {
  const startMs = performance.now()
  let [given, last] = [0, -1n]
  while (performance.now() - startMs < ms) {
    const endMs = performance.now() + sliceMs
    while (ids.buffered > batch && performance.now() < endMs) {
      for (let i = 0; i < batch; i++) {
        const id = ids.next()
        if (id <= last) throw new Error(`id ${id} came after ${last}`)
        last = id
      }
      given += batch
    }
    await ids.nextAsync()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return (given * 1_000) / (performance.now() - startMs)
}

function peersDuplicates(): Readonly<Record<string, { readonly share: number; readonly perMs: number }>> {
  const sapphire = new SapphireSnowflake(Date.UTC(2024, 0, 1))
  return {
    '@sapphire/snowflake 3.5.5': duplicatesOf(() => sapphire.generate()),
    '@theinternetfolks/snowflake 1.3.0, one shard': duplicatesOf(() =>
      InternetFolksSnowflake.generate({ shard_id: 1 }),
    ),
    '@theinternetfolks/snowflake 1.3.0, as it comes': duplicatesOf(() => InternetFolksSnowflake.generate()),
  }
}

function duplicatesOf(make: () => bigint | string): { readonly share: number; readonly perMs: number } {
  const given = new Array<bigint | string>(duplicatesAmong)
  const startMs = performance.now()
  for (let i = 0; i < duplicatesAmong; i++) given[i] = make()
  const perMs = duplicatesAmong / (performance.now() - startMs)
  return { share: rounded(1 - new Set(given).size / duplicatesAmong), perMs: rounded(perMs) }
}
