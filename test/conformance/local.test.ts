import { openLocalBed } from './beds/local-bed.ts'
import { describeConformance } from './register.ts'

const capabilities = {
  linearizable: true,
  leaseSurvivesFailover: true,
  timeAuthority: 'server',
  leaseExpiryResolutionMs: 50,
  fencing: true,
  watchResume: true,
  exactlyOnce: true,
} as const

describeConformance(
  'memory:',
  { capabilities: { ...capabilities, durability: 'memory' }, abilities: ['bulk-renewal'] },
  () => openLocalBed('memory'),
)

describeConformance(
  'file:',
  { capabilities: { ...capabilities, durability: 'disk' }, abilities: ['bulk-renewal', 'restart'] },
  () => openLocalBed('file'),
)
