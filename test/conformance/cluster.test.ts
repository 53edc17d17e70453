import { openClusterBed } from './beds/cluster-bed.ts'
import { describeConformance } from './register.ts'

describeConformance(
  'a cluster of three nodes',
  {
    capabilities: {
      linearizable: true,
      durability: 'quorum-disk',
      leaseSurvivesFailover: true,
      timeAuthority: 'server',
      leaseExpiryResolutionMs: 200,
      fencing: true,
      watchResume: true,
      exactlyOnce: true,
    },
    abilities: ['bulk-renewal', 'clients', 'restart', 'failover', 'cut'],
  },
  openClusterBed,
)
