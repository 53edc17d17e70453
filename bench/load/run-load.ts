import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  type ClosedLoopReport,
  type ClosedLoopRequest,
  durationMs,
  type EngineRatesReport,
  type EngineRatesRequest,
  type EngineRecipeReport,
  type EngineRecipeRequest,
  type FanOutReport,
  type FanOutRequest,
  type LoadRequest,
  type LocksReport,
  type LocksRequest,
} from './load.ts'

const program = fileURLToPath(new URL('./load-process.js', import.meta.url))
const setUpMs = 60_000

/** Has the load made by a process of its own, so that clients and measurement share no event loop with anything else. */
export function runLoad(request: ClosedLoopRequest): Promise<ClosedLoopReport>
export function runLoad(request: FanOutRequest): Promise<FanOutReport>
export function runLoad(request: EngineRatesRequest): Promise<EngineRatesReport>
export function runLoad(request: EngineRecipeRequest): Promise<EngineRecipeReport>
export function runLoad(request: LocksRequest): Promise<LocksReport>
export async function runLoad(request: LoadRequest): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(request)], {
    timeout: durationMs(request) + setUpMs,
    killSignal: 'SIGKILL',
  })
  return JSON.parse(stdout)
}
