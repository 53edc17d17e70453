import { type StoreCapabilities, storeLimits } from '../../contracts/store.ts'

/** A message beside its data: the subject, the headers of the protocol. */
export const protocolBytes = 1_024
/** Of a message: the form of keys, comparisons and the message itself beside the bytes that count against the limits. */
const formBytes = 32 * 1024
/** A snapshot is written in chunks of up to so many bytes. */
export const payloadBytesMin = 320 * 1024

/**
 * What the engine guarantees on these servers; where each is shown, and what it rests on, stands in `docs/engines/nats.md`. A server that does not sync before it acknowledges loses what it
 * has acknowledged with its power, and then gives revisions a second time: so without the user's word neither durability nor fencing is claimed.
 */
export function natsCapabilities(
  messageBytesMax: number,
  { syncAlways, replicas }: { readonly syncAlways: boolean; readonly replicas: number },
): StoreCapabilities {
  const bytesMax = messageBytesMax - formBytes
  return {
    linearizable: true,
    durability: syncAlways ? (replicas >= 3 ? 'quorum-disk' : 'disk') : 'memory',
    leaseSurvivesFailover: true,
    timeAuthority: 'server',
    leaseExpiryResolutionMs: 2_000,
    fencing: syncAlways,
    watchResume: true,
    exactlyOnce: true,
    limits: {
      ...storeLimits,
      valueBytesMax: Math.min(storeLimits.valueBytesMax, bytesMax - storeLimits.keyBytesMax),
      txnBytesMax: Math.min(storeLimits.txnBytesMax, bytesMax),
    },
  }
}
