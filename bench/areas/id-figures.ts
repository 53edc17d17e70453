import { type Figure, ratioOf, reportOf, tableOfFigures } from '../figure.ts'
import type { BenchOptions } from '../options.ts'
import type { AreaResult } from '../report.ts'
import { rounded, spreadOf } from '../statistics.ts'

/** One of two things that are measured in turn in this process: how much it does in the time given, each second. */
export type Rate = (ms: number) => number | Promise<number>

/** Both sides in turn, the other one first in every second round. */
export async function ratesInTurn(
  rounds: number,
  ms: number,
  ours: Rate,
  peer: Rate,
): Promise<{ readonly ours: readonly number[]; readonly peer: readonly number[] }> {
  const found = { ours: [] as number[], peer: [] as number[] }
  // Once without counting: the compiler has seen both then.
  await ours(ms / 2)
  await peer(ms / 2)
  for (let round = 0; round < rounds; round++) {
    const sides = [['ours', ours] as const, ['peer', peer] as const]
    for (const [side, rate] of round % 2 === 0 ? sides : sides.toReversed()) found[side].push(await rate(ms))
  }
  return found
}

/** How often `work`, which does so many at a time, is done in a second. */
export function rateOf(work: () => void, each: number): Rate {
  return (ms) => {
    const startMs = performance.now()
    let done = 0
    while (performance.now() - startMs < ms) {
      work()
      done += each
    }
    return (done * 1_000) / (performance.now() - startMs)
  }
}

/** The first figure is the headline. */
export function resultOfFigures(
  options: BenchOptions,
  figures: readonly Figure[],
  setup: Readonly<Record<string, unknown>>,
  print: (text: string) => void,
): AreaResult {
  const headline = figures[0] as Figure
  const median = (values: readonly number[]) =>
    values.length === 0 ? null : rounded(spreadOf(values).median)
  print(`\n${tableOfFigures(figures)}\n`)
  return {
    area: options.area,
    ours: median(headline.ours),
    peer: median(headline.peer),
    ratio: ratioOf(headline),
    unit: headline.unit,
    setup: { headline: headline.name, ...setup, rounds: options.rounds, figures: figures.map(reportOf) },
  }
}
