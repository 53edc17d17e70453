import { open } from 'althing'
import type { BareClient } from '../engines/bare/bare-client.ts'
import { openBare } from '../engines/bare/open-bare.ts'
import { OurDriver } from '../our-driver.ts'
import { forEachAtOnce } from './at-once.ts'
import type { EngineRatesReport, EngineRatesRequest, SliceRates } from './load.ts'
import { runSlice, type Slice } from './slice.ts'

const filledAtOnce = 64
const deadlineMs = 10_000

interface Turn {
  readonly client: BareClient
  readonly slices: Slice[]
}

/** Ours and the bare clients of one server in turn, a slice each, all in this process: every slice of a round sees the same machine, server and compiler. */
export async function runEngineRates(request: EngineRatesRequest): Promise<EngineRatesReport> {
  const ours = clientOf(new OurDriver(await open(request.url)))
  const bare = await Promise.all(request.bare.map(openBare))
  const turns: readonly Turn[] = [ours, ...bare].map((client) => ({ client, slices: [] }))
  for (const { client } of turns) await fill(client, request)
  for (const { client } of turns) await measure(client, request, request.warmupMs)
  for (let round = 0; round < request.rounds; round++) {
    for (const { client, slices } of round % 2 === 0 ? turns : turns.toReversed())
      slices.push(await measure(client, request, request.sliceMs))
  }
  await Promise.all(turns.map(({ client }) => client.close()))
  const [first, ...rest] = turns.map(({ slices }) => ratesOf(slices))
  return { ours: first as SliceRates, bare: rest }
}

function clientOf(driver: OurDriver): BareClient {
  return {
    put: (key, value) => driver.put(key, value, deadlineMs),
    get: (key) => driver.get(key, deadlineMs),
    close: () => driver.close(),
  }
}

function measure(client: BareClient, request: EngineRatesRequest, sliceMs: number): Promise<Slice> {
  const value = Buffer.alloc(request.valueBytes, 0x61)
  const operate =
    request.operation === 'put'
      ? (caller: number, turn: number) => client.put(keyOf(caller, turn, request), value)
      : (caller: number, turn: number) => client.get(keyOf(caller, turn, request))
  return runSlice(request.callers, sliceMs, operate)
}

/** Every key is there before anything is measured: a put replaces, a get finds. */
async function fill(client: BareClient, request: EngineRatesRequest): Promise<void> {
  const value = Buffer.alloc(request.valueBytes, 0x61)
  const keys = Array.from({ length: request.callers * request.keysPerCaller }, (_, n) =>
    keyOf(Math.floor(n / request.keysPerCaller), n, request),
  )
  await forEachAtOnce(keys, filledAtOnce, (key) => client.put(key, value))
}

function keyOf(caller: number, turn: number, { keysPerCaller }: EngineRatesRequest): string {
  return `bench/${caller}/${turn % keysPerCaller}`
}

function ratesOf(slices: readonly Slice[]): SliceRates {
  const failure = slices.find((slice) => slice.failure !== undefined)?.failure
  return {
    operationsPerSecond: slices.map((slice) => slice.operationsPerSecond),
    failures: slices.reduce((sum, { failures }) => sum + failures, 0),
    ...(failure === undefined ? {} : { failure }),
  }
}
