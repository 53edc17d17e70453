import type { Logger, World } from '../contracts/world.ts'
import { NodeClock } from './clock.ts'
import { NodeDatagrams } from './datagrams.ts'
import { NodeDisk } from './disk.ts'
import { NodeLogger } from './logger.ts'
import { NodeNetwork } from './network.ts'
import { NodeProbes } from './probes.ts'
import { NodeRandom } from './random.ts'
import { NodeThreads } from './threads.ts'
import { NodeTimers } from './timers.ts'
import type { TlsOptions } from './tls-options.ts'
import { createTransportSecurity } from './transport-security.ts'

export interface NodeWorldOptions {
  /** Folder under which every path of the disk lies; made when the first file is. */
  readonly dataFolder: string
  /** Default: JSON lines on stderr, written at once. Threads always have the default. */
  readonly logger?: Logger
  /** How connections are secured; absent: they are not, as befits one machine. Threads get the same. */
  readonly tls?: TlsOptions
}

/** The real world: this machine's clock, sockets, files and threads. Holds nothing open by itself. Throws `invalid-argument` when `tls` cannot be used. */
export function createNodeWorld(options: NodeWorldOptions): World {
  const clock = new NodeClock()
  const logger = options.logger ?? new NodeLogger()
  const security = options.tls === undefined ? undefined : createTransportSecurity(options.tls, logger)
  return {
    clock,
    timers: new NodeTimers(clock),
    random: new NodeRandom(),
    network: new NodeNetwork(logger, security),
    datagrams: new NodeDatagrams(logger),
    probes: new NodeProbes(),
    disk: new NodeDisk(options.dataFolder),
    threads: new NodeThreads(options.dataFolder, options.tls),
    logger,
  }
}
