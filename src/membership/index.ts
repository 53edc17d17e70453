export {
  Membership,
  type MembershipChange,
  type MembershipDependencies,
  type MembershipOptions,
  type WaitOptions,
} from './membership.ts'
export {
  type DatagramTransportOptions,
  type MembershipTransport,
  openDatagramTransport,
} from './membership-transport.ts'
export type { MemberId, MemberState, MemberView, SwimStats } from '../protocols/membership/types.ts'
export {
  createFailureDetector,
  type FailureDetector,
  type FailureDetectorOptions,
} from '../protocols/failure-detection/failure-detector.ts'
export type { FixedTimeoutOptions } from '../protocols/failure-detection/fixed-timeout.ts'
export type { PhiAccrualOptions } from '../protocols/failure-detection/phi-accrual.ts'
