import type { Logger, World } from '../contracts/world.ts'
import { NodeClock } from './clock.ts'
import { NodeDisk } from './disk.ts'
import { NodeLogger } from './logger.ts'
import { NodeNetwork } from './network.ts'
import { NodeRandom } from './random.ts'
import { NodeThreads } from './threads.ts'
import { NodeTimers } from './timers.ts'

export interface NodeWorldOptions {
  /** Folder under which every path of the disk lies; made when the first file is. */
  readonly dataFolder: string
  /** Default: JSON lines on stderr, written at once. Threads always have the default. */
  readonly logger?: Logger
}

/** The real world: this machine's clock, sockets, files and threads. Holds nothing open by itself. */
export function createNodeWorld(options: NodeWorldOptions): World {
  const clock = new NodeClock()
  const logger = options.logger ?? new NodeLogger()
  return {
    clock,
    timers: new NodeTimers(clock),
    random: new NodeRandom(),
    network: new NodeNetwork(logger),
    disk: new NodeDisk(options.dataFolder),
    threads: new NodeThreads(options.dataFolder),
    logger,
  }
}
