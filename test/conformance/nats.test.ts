import { describe, test } from 'vitest'
import type { ConformanceAbility } from '../../src/testing/conformance/bed.ts'
import { natsCapabilities } from '../../src/engines/nats/nats-capabilities.ts'
import { natsUnavailable } from '../engines/servers/nats-servers.ts'
import { openNatsBed } from './beds/nats-bed.ts'
import { describeConformance } from './register.ts'

const unavailable = natsUnavailable()
/** A message has 1 MiB unless the operator says otherwise, of which some is for the protocol. */
const messageBytesMax = 1024 * 1024 - 1_024
const abilities: readonly ConformanceAbility[] = ['bulk-renewal', 'clients', 'restart', 'cut']

if (unavailable === undefined) {
  describeConformance(
    'NATS',
    {
      capabilities: natsCapabilities(messageBytesMax, { syncAlways: true, replicas: 1 }),
      abilities,
    },
    () => openNatsBed(1),
  )
  describeConformance(
    'NATS, three servers,',
    {
      capabilities: natsCapabilities(messageBytesMax, { syncAlways: true, replicas: 3 }),
      abilities: [...abilities, 'failover'],
    },
    () => openNatsBed(3),
  )
} else {
  describe('NATS keeps the store contract', () => {
    test.skip(`not tested: ${unavailable}`, () => undefined)
  })
}
