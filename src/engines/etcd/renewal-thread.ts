import type { CallOptions, LeaseId, RenewalThreadData } from '../../contracts/store.ts'
import type { Channel, ThreadEntry, World } from '../../contracts/world.ts'
import type { LeaseStore } from '../../protocols/lease/renewal-runner.ts'
import { runRenewals } from '../renewal-loop.ts'
import type { EtcdUser } from './authentication.ts'
import { EtcdCalls } from './calls.ts'
import { Endpoints, type EtcdTls } from './endpoints.ts'
import { EtcdLeases } from './etcd-leases.ts'
import { loadGrpc } from './grpc-library.ts'

/** What the thread is told of its engine: `RenewalSource.engine` of etcd. */
export interface EtcdRenewalEngine {
  readonly endpoints: readonly string[]
  readonly tls?: EtcdTls
  readonly user?: EtcdUser
}

export function renewEtcdLeases(world: World, channel: Channel, data: RenewalThreadData): void {
  runRenewals(world, channel, data, connectLeaseStore(world, data.engine as EtcdRenewalEngine))
}

/** Connects when the first lease is to be renewed. */
function connectLeaseStore(world: World, engine: EtcdRenewalEngine): LeaseStore {
  let leases: Promise<EtcdLeases> | undefined
  const connected = (): Promise<EtcdLeases> => {
    leases ??= loadGrpc().then((grpc) => {
      const endpoints = new Endpoints(world, grpc, engine.endpoints, engine.tls)
      return new EtcdLeases(world, new EtcdCalls(world, endpoints, { user: engine.user }))
    })
    return leases
  }
  return {
    keepLeaseAlive: async (lease: LeaseId, options: CallOptions) =>
      (await connected()).keepAlive(lease, options),
    keepLeasesAlive: async (many: readonly LeaseId[], options: CallOptions) =>
      (await connected()).keepManyAlive(many, options),
  }
}

export const renewalEntry: ThreadEntry<RenewalThreadData> = {
  moduleUrl: import.meta.url,
  exportName: 'renewEtcdLeases',
  run: renewEtcdLeases,
}
