import { etcdCapabilitiesOf } from '../../src/engines/etcd/etcd-capabilities.ts'
import { parseServerVersion } from '../../src/engines/etcd/server-version.ts'
import { etcdUnavailable, installedEtcdVersion } from '../engines/servers/etcd-servers.ts'
import { openEtcdBed } from './beds/etcd-bed.ts'
import { describeConformance, describeUntested } from './register.ts'

const unavailable = etcdUnavailable()
const abilities = ['bulk-renewal', 'clients', 'restart', 'cut'] as const

if (unavailable === undefined) {
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
} else describeUntested('etcd', unavailable)
