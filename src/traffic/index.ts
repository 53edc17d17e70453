export { type BalancerName, balancerNames } from '../coordination/discovery/balancing-policies.ts'
export {
  createGateway,
  type Gateway,
  type GatewayDependencies,
  type GatewayOptions,
  type RouteExplanation,
  type WhyQuestion,
} from './gateway.ts'
export type { GatewayMetrics } from './gateway-metrics.ts'
export { gatewayDefaults, type RoutingOptions } from './gateway-options.ts'
export type { InstanceView, MoveCause, Route, RouteReason } from './gateway-policy.ts'
export type { ClientIdentity } from './client-identity.ts'
export type { RouteAttempt, RouteRecord } from './recent-routes.ts'
export { HashRing, type HashRingOptions, hashRingDefaults } from '../protocols/ring/hash-ring.ts'
export { createKeyHash, type KeyHash } from '../protocols/ring/key-hash.ts'
export { jumpBucketsMax, jumpHash } from '../protocols/ring/jump-hash.ts'
export { Rendezvous } from '../protocols/ring/rendezvous.ts'
