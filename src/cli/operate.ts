import { AlthingError, asAlthingError, isAlthingError } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import type { NodeClient } from '../engines/cluster/node-client.ts'
import { mayRepeat, type Plain } from '../engines/cluster/operator-calls.ts'
import { openNode } from './open-node.ts'
import { print } from './output.ts'
import { withSlowProgress } from './progress.ts'
import { addressesOf, commandWorld, type TargetOptions, targetUrl } from './target.ts'

/** Longer than what a call waits for at the node. */
const callTimeoutMs = 60_000
const connectTimeoutMs = 2_000

/** What a call answers, by name. */
export type Answer = Readonly<Record<string, unknown>>

/**
 * Makes an operator's call at the first node of the URL that can have it done: it hands it on to the leader where that is needed. Another is asked only when
 * surely nothing was done, or when doing it twice is as good.
 */
export async function operate(world: World, url: string, name: string, argument: Plain): Promise<unknown> {
  let last: AlthingError | undefined
  for (const address of addressesOf(url)) {
    let client: NodeClient | undefined
    try {
      client = await openNode(world, address, { timeoutMs: connectTimeoutMs })
      return await client.operate(name, argument, callTimeoutMs)
    } catch (cause) {
      const error = asAlthingError(cause)
      const isElsewhere = client === undefined || mayRepeat(name, error)
      if (!isElsewhere || isAlthingError(error, 'unauthenticated')) throw error
      last = error
    } finally {
      client?.close()
    }
  }
  throw last ?? new AlthingError('unavailable', `${url} names no node`, { outcome: 'none' })
}

/** One call as a whole command: finds the cluster, calls, and prints. */
export async function operateCommand<T = Answer>(
  options: TargetOptions,
  what: { readonly name: string; readonly argument: Plain; readonly progress: string },
  format: (answer: T, url: string) => string,
): Promise<void> {
  const world = commandWorld()
  const { answer, url } = await withSlowProgress(
    world.timers,
    what.progress,
    options.json !== true,
    async () => {
      const found = await targetUrl(world, options)
      return { answer: (await operate(world, found, what.name, what.argument)) as T, url: found }
    },
  )
  await print(options.json, answer, format(answer, url))
}
