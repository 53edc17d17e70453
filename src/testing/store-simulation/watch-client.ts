import type { WatchRequest } from '../../contracts/store.ts'
import { clientRange } from '../../models/store/system-keys.ts'
import { attempt, type ClientContext, type ClientProgram, sleep } from './client-process.ts'
import { keyRange, txnRange } from './key-client.ts'
import type { LiveWatch } from './observations.ts'

const everything = { key: '', end: null } as const

/** Listens: ends watches, sets them anew from where it was, or from earlier, and is slow at times. */
export const runWatchClient: ClientProgram = async (context) => {
  await Promise.all([watchOn(context, 1), watchOn(context, 2)])
}

async function watchOn(context: ClientContext, number: number): Promise<void> {
  const { random } = context
  const range = random.pick([keyRange, txnRange, everything, { key: 'k1' }])
  let toldUntil: number | undefined
  for (let turn = 1; !context.isStopping(); turn++) {
    const fromRevision = chooseRevision(context, toldUntil)
    const request: WatchRequest = {
      ...range,
      ...(fromRevision === undefined ? {} : { fromRevision }),
      ...(random.chance(0.3) ? { previous: true } : {}),
      ...(random.chance(0.4) ? { progressMs: 500 } : {}),
    }
    const observation: LiveWatch = {
      name: `${context.name}/${number}.${turn}`,
      // The cluster's own keys are shown to nobody.
      request: clientRange(request),
      batches: [],
      toldUntil: (fromRevision ?? 1) - 1,
      isLive: true,
    }
    context.observations.watches.push(observation)
    await listen(
      context,
      request,
      observation,
      random.chance(0.5) ? random.exponential(4_000) : Number.POSITIVE_INFINITY,
    )
    toldUntil = observation.toldUntil
  }
}

/** Where the last watch ended, somewhat before, or from now on. */
function chooseRevision({ random }: ClientContext, toldUntil: number | undefined): number | undefined {
  if (toldUntil === undefined) return random.chance(0.5) ? undefined : 1
  return random.chance(0.7) ? toldUntil + 1 : Math.max(1, toldUntil - random.integer(0, 20))
}

/** Until the clients are asked to stop listening, or for so long. */
async function listen(
  context: ClientContext,
  request: WatchRequest,
  observation: LiveWatch,
  forMs: number,
): Promise<void> {
  const { store, world, random, nowMs } = context
  const watch = store.watch(request)
  const isSlow = random.chance(0.2)
  const endAt = nowMs() + forMs
  const timer = Number.isFinite(forMs) ? world.timers.after(forMs, () => watch.close()) : undefined
  await attempt(context, async () => {
    for await (const batch of watch) {
      observation.batches.push(batch)
      observation.toldUntil = Math.max(observation.toldUntil, batch.revision)
      if (isSlow && !context.isStopping()) await sleep(world, random.exponential(300))
      if (nowMs() >= endAt) break
    }
  }, ['closed'])
  timer?.cancel()
  observation.isLive = false
}
