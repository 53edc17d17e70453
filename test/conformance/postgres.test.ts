import { limits } from '../../src/engines/postgres/server-settings.ts'
import { postgresUnavailable } from '../engines/servers/postgres-server.ts'
import { openPostgresBed } from './beds/postgres-bed.ts'
import { describeConformance, describeUntested } from './register.ts'

const unavailable = postgresUnavailable()

if (unavailable === undefined) {
  describeConformance(
    'PostgreSQL',
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
        limits,
      },
      abilities: ['bulk-renewal', 'clients', 'restart', 'cut'],
    },
    openPostgresBed,
  )
} else describeUntested('PostgreSQL', unavailable)
