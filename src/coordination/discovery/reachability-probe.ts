import type { ByteString } from '../../base/bytes.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { pause } from '../abortable.ts'

/**
 * Asks the store every `everyMs` whether it is there, one question at a time, until the signal fires: for engines whose watches report progress more rarely than that. It shows that the store can be
 * reached; that a watch has broken off is for the engine to notice. Never rejects.
 */
export async function probeReachability(
  { store, world, key }: { readonly store: Store; readonly world: World; readonly key: ByteString },
  everyMs: number,
  signal: AbortSignal,
  onAnswer: () => void,
): Promise<void> {
  for (;;) {
    await pause(world, everyMs, signal)
    if (signal.aborted) return
    try {
      await store.range({ key, countOnly: true }, { signal, timeoutMs: everyMs })
      onAnswer()
    } catch {
      // No answer is the answer.
    }
  }
}
