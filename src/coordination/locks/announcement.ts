import { textFromBytes } from '../../base/bytes.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { encodeLockEntry, type LockEntry } from './lock-entry.ts'

/** Who had to wait writes since when the lock is held, unless it is over by then: a write less for each turn of a busy lock. */
const announceAfterMs = 100

/** For `explain`. The right is in the store already; only since when it is held is not. */
export class Announcement {
  readonly #timer: Timer | undefined

  /** Nothing to say of one that did not have to wait. `entry` is asked when it is time. */
  constructor(world: World, hold: ExclusiveHold, entry: () => LockEntry) {
    if (entry().heldSinceMs === undefined) return
    this.#timer = world.timers.after(announceAfterMs, () => void announce(world, hold, entry()))
  }

  cancel(): void {
    this.#timer?.cancel()
  }
}

async function announce(world: World, hold: ExclusiveHold, entry: LockEntry): Promise<void> {
  if (!hold.isHeld) return
  try {
    await hold.setValue(textFromBytes(encodeLockEntry(entry)))
  } catch (error) {
    world.logger.log('debug', 'since when a lock is held could not be written', { error: String(error) })
  }
}
