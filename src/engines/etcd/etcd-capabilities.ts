import { type StoreCapabilities, storeLimits } from '../../contracts/store.ts'
import { leavesLeasesToSuccessor, type ServerVersion } from './server-version.ts'

/** What every etcd guarantees; where each is shown, and what it rests on, stands in `docs/engines/etcd.md`. */
export const etcdCapabilities: StoreCapabilities = {
  linearizable: true,
  durability: 'quorum-disk',
  leaseSurvivesFailover: false,
  timeAuthority: 'server',
  // etcd looks for leases that have ended twice a second, and a new leader adds an election's time.
  leaseExpiryResolutionMs: 2_000,
  leaseTtlStepMs: 1_000,
  fencing: true,
  watchResume: true,
  // Older servers report at an interval of their own, which is this unless their operator says otherwise.
  watchProgressMsMin: 600_000,
  exactlyOnce: false,
  // A request of etcd has at most 1.5 MiB unless its operator says otherwise, of which some is for the form.
  limits: { ...storeLimits, txnBytesMax: 1_440 * 1024 },
}

/** What those servers guarantee: of an old version leases are safe only where there is one member, which nobody can depose. */
export function etcdCapabilitiesOf(version: ServerVersion, members: number): StoreCapabilities {
  return { ...etcdCapabilities, leaseSurvivesFailover: members === 1 || leavesLeasesToSuccessor(version) }
}
