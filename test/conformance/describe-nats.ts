import type { ConformanceAbility } from '../../src/testing/conformance/bed.ts'
import { natsCapabilities } from '../../src/engines/nats/nats-capabilities.ts'
import { natsUnavailable } from '../engines/servers/nats-servers.ts'
import { openNatsBed } from './beds/nats-bed.ts'
import { describeConformance, describeUntested } from './register.ts'

/** A message has 1 MiB unless the operator says otherwise, of which some is for the protocol. */
const messageBytesMax = 1024 * 1024 - 1_024

/** One server and three have a file each: together they would be the last to end by minutes. */
export function describeNats(engine: string, servers: 1 | 3, abilities: readonly ConformanceAbility[]): void {
  const unavailable = natsUnavailable()
  if (unavailable !== undefined) {
    describeUntested(engine, unavailable)
    return
  }
  const capabilities = natsCapabilities(messageBytesMax, { syncAlways: true, replicas: servers })
  describeConformance(engine, { capabilities, abilities }, () => openNatsBed(servers))
}
