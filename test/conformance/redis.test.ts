import { redisUnavailable } from '../engines/servers/redis-server.ts'
import { openRedisBed } from './beds/redis-bed.ts'
import { describeConformance, describeUntested } from './register.ts'

const unavailable = redisUnavailable()

if (unavailable === undefined) {
  describeConformance(
    'Redis',
    {
      capabilities: {
        linearizable: true,
        durability: 'disk',
        leaseSurvivesFailover: true,
        timeAuthority: 'server',
        leaseExpiryResolutionMs: 1_000,
        fencing: true,
        watchResume: true,
        exactlyOnce: true,
      },
      abilities: ['bulk-renewal', 'clients', 'restart', 'cut'],
    },
    openRedisBed,
  )
} else describeUntested('Redis', unavailable)
