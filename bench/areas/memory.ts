import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Contender } from '../cluster.ts'
import type { BenchOptions } from '../options.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { ownResult } from './ours-only.ts'

const program = fileURLToPath(new URL('../scale/memory-process.js', import.meta.url))
const keys = 1_000_000
const keyBytes = 32
const sizes = [64, 256]

interface MemoryReport {
  readonly heap: number
  readonly external: number
  readonly resident: number
  readonly counted: number
  readonly putUs: number
}

/** What a key costs in memory: a million keys of 32 bytes, in a process of its own for each size of value. */
export async function benchMemory(
  _ours: Contender,
  _peer: Contender,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const reports = new Map<number, MemoryReport>()
  for (const valueBytes of sizes) {
    const args = ['--expose-gc', '--max-old-space-size=4096', program, String(keys), String(valueBytes)]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    reports.set(valueBytes, JSON.parse(stdout) as MemoryReport)
  }
  const rows = [...reports].map(([valueBytes, { heap, external, resident, counted, putUs }]) =>
    [valueBytes, heap, external, resident, counted, putUs].map(formatNumber),
  )
  const head = ['value', 'heap', 'outside it', 'resident', 'counted for the quota', 'us per put']
  print(
    `Bytes for each of ${keys.toLocaleString('en-US')} keys of ${keyBytes} bytes\n${formatTable(head, rows)}`,
  )
  const last = reports.get(sizes.at(-1) as number)
  return ownResult(options.area, {
    headline: last === undefined ? null : last.heap + last.external,
    unit: 'bytes per key of 32 + 256 bytes',
    setup: {
      ours: 'the model alone, without a node',
      peer: 'not asked for',
      keys,
      reports: Object.fromEntries(reports),
    },
  })
}
