import { closeTargets, openTargets } from './all-targets.ts'
import { FuzzRun, type TargetReport } from './fuzz-run.ts'
import { Watchdog } from './watchdog.ts'

/** What a worker is asked for: so many inputs, spread over the targets by their shares. */
export interface WorkerOrder {
  readonly target: string
  readonly seed: string
  readonly inputs: number
}

export type WorkerNews =
  | { readonly kind: 'started'; readonly target: string }
  | { readonly kind: 'report'; readonly report: TargetReport }
  | { readonly kind: 'done' }
  | { readonly kind: 'error'; readonly message: string }

const inputsMin = 20

/** Inputs refused by the million: where each refusal was thrown is of no interest, and writing it down costs the most. */
function forgetStacks(): void {
  Error.stackTraceLimit = 0
}

async function work({ target, seed, inputs }: WorkerOrder): Promise<void> {
  const targets = await openTargets(target)
  if (targets.length === 0) throw new Error(`there is no target ${target}`)
  const shares = targets.reduce((sum, { share }) => sum + share, 0)
  const watchdog = new Watchdog()
  forgetStacks()
  for (const each of targets) {
    tell({ kind: 'started', target: each.name })
    const count = Math.max(inputsMin, Math.ceil((inputs * each.share) / shares))
    tell({ kind: 'report', report: await new FuzzRun(each, { seed, inputs: count, watchdog }).run() })
  }
  await watchdog.close()
  await closeTargets(targets)
  tell({ kind: 'done' })
}

function tell(news: WorkerNews): void {
  process.send?.(news)
}

process.on('message', (order: WorkerOrder) => {
  work(order)
    .catch((error: unknown) =>
      tell({ kind: 'error', message: error instanceof Error ? error.message : String(error) }),
    )
    .finally(() => process.disconnect())
})
// Nothing that a target leaves behind may go unseen.
process.on('unhandledRejection', (error) => {
  tell({
    kind: 'error',
    message: `unhandled: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  })
  process.exitCode = 1
})
