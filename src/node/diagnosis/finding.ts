import type { AcceptedWeakness } from '../../coordination/accepted-weaknesses.ts'
import type { MemberAnswer } from './member-answer.ts'

export type Severity = 'ok' | 'warning' | 'problem'

export const checks = [
  'cluster',
  'quorum',
  'members',
  'learner',
  'lag',
  'data-loss',
  'elections',
  'groups',
  'version',
  'clock',
  'disk',
  'disk-space',
  'event-loop',
  'leadership',
  'quota',
  'leases',
  'watchers',
  'access',
  'certificates',
  'audit',
  'backup',
  'replicas',
  'guarantees',
  'store',
] as const
export type Check = (typeof checks)[number]

/** One thing that was looked at. */
export interface Finding {
  readonly check: Check
  readonly severity: Severity
  readonly message: string
  /** What to do about it. */
  readonly advice?: string
  /** The command that does it, or the first one to run; what stands in capitals is to be filled in. */
  readonly command?: string
  /** The member that it is about; absent: the cluster. */
  readonly node?: number
  /** What of the member or cluster it is about, where a check looks at several: a group, a file. */
  readonly subject?: string
  /** For how long it has been so, as far as that is known. */
  readonly forMs?: number
}

export type About = Pick<Finding, 'command' | 'node' | 'subject' | 'forMs'>

/** What there is to look at. */
export interface Examination {
  readonly members: readonly MemberAnswer[]
  /** Milliseconds since 1970, here. */
  readonly nowMs: number
  /** What programs have accepted on the cluster's own store. */
  readonly accepted?: readonly AcceptedWeakness[]
  /** Measured by whoever examines, in a folder of its own. */
  readonly disk?: { readonly folder: string; readonly p50Ms: number; readonly p99Ms: number }
}

export function ok(check: Check, message: string, about: About = {}): Finding {
  return { check, severity: 'ok', message, ...about }
}

export function warning(check: Check, message: string, advice: string, about: About = {}): Finding {
  return { check, severity: 'warning', message, advice, ...about }
}

export function problem(check: Check, message: string, advice: string, about: About = {}): Finding {
  return { check, severity: 'problem', message, advice, ...about }
}

/** In words a person reads at a glance. */
export function shownMs(value: number): string {
  return value < 10 ? `${Math.round(value * 100) / 100} ms` : `${Math.round(value)} ms`
}

const loopback = /^(127(\.\d{1,3}){3}|localhost|\[::1\]):/

/** Every member is reached on this machine only: a cluster to develop with. */
export function isLocal(members: readonly MemberAnswer[]): boolean {
  return members.every(({ address }) => loopback.test(address))
}

export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'))
}
