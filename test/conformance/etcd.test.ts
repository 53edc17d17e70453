import { describe } from 'vitest'
import { etcdCapabilities } from '../../src/engines/etcd/etcd-capabilities.ts'
import { etcdUnavailable } from '../engines/servers/etcd-servers.ts'
import { openEtcdBed } from './beds/etcd-bed.ts'
import { describeConformance } from './register.ts'

const abilities = ['bulk-renewal', 'clients', 'restart', 'cut'] as const

describe.skipIf(etcdUnavailable() !== undefined)('real etcd servers', () => {
  describeConformance('an etcd of one member', { capabilities: etcdCapabilities, abilities }, () =>
    openEtcdBed(1),
  )
  describeConformance(
    'an etcd of three members',
    { capabilities: etcdCapabilities, abilities: [...abilities, 'failover'] },
    () => openEtcdBed(3),
  )
})
