import { describe } from 'vitest'
import { etcdCapabilitiesOf } from '../../src/engines/etcd/etcd-capabilities.ts'
import { parseServerVersion } from '../../src/engines/etcd/server-version.ts'
import { etcdUnavailable, installedEtcdVersion } from '../engines/servers/etcd-servers.ts'
import { openEtcdBed } from './beds/etcd-bed.ts'
import { describeConformance } from './register.ts'

const abilities = ['bulk-renewal', 'clients', 'restart', 'cut'] as const

describe.skipIf(etcdUnavailable() !== undefined)('real etcd servers', () => {
  if (etcdUnavailable() !== undefined) return
  const version = parseServerVersion(installedEtcdVersion())
  describeConformance(
    'an etcd of one member',
    { capabilities: etcdCapabilitiesOf(version, 1), abilities },
    () => openEtcdBed(1),
  )
  describeConformance(
    'an etcd of three members',
    { capabilities: etcdCapabilitiesOf(version, 3), abilities: [...abilities, 'failover'] },
    () => openEtcdBed(3),
  )
})
