import { AlthingError } from '../../../src/contracts/errors.ts'
import type { World } from '../../../src/contracts/world.ts'
import type { MemoryDisk } from '../memory-disk.ts'

/** As much of a world as storage asks for. */
export function worldWith(disk: MemoryDisk): World {
  const logger: World['logger'] = { log: () => {} }
  const missing = (): never => {
    throw new AlthingError('internal', 'storage asked the world for more than its disk')
  }
  const clock = { monotonicMs: () => 0, wallMs: () => 0 }
  const timers = { after: missing, immediate: missing }
  return { disk, logger, clock, timers } as unknown as World
}
