import { createHash } from 'node:crypto'
import { invalidArgument } from '../../contracts/errors.ts'
import { shortText } from '../names.ts'
import type { ConfigRecord, ReleaseRule, StoredVersion } from './config-record.ts'

/** Who a reader is, as far as staged releases ask. */
export interface InstanceIdentity {
  readonly instance: string
  readonly labels: Readonly<Record<string, string>>
}

const bucketsCount = 10_000
const labelsMax = 32

/**
 * The place of an instance among the instances of a scope, in percent: 0 <= place < 100, in steps of 0.01. By the first 32 bits of SHA-256 of scope and id, so it is the same for every release, everywhere:
 * who is among the first 10 % is among the first 50 %.
 */
export function releasePlace(scope: string, instance: string): number {
  const digest = createHash('sha256').update(`${scope}\0${instance}`).digest()
  return Math.floor((digest.readUInt32BE(0) / 2 ** 32) * bucketsCount) / (bucketsCount / 100)
}

export function isChosen(scope: string, rule: ReleaseRule, { instance, labels }: InstanceIdentity): boolean {
  if (releasePlace(scope, instance) < rule.share) return true
  const { match } = rule
  if (match === undefined) return false
  return Object.entries(match).every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value)
}

/** The version that this instance is to run. */
export function versionFor(scope: string, record: ConfigRecord, identity: InstanceIdentity): StoredVersion {
  const { stable, staged } = record
  return staged !== undefined && isChosen(scope, staged.rule, identity) ? staged.version : stable
}

/** Throws `invalid-argument`. */
export function checkedRule(rule: {
  readonly share?: number
  readonly match?: Readonly<Record<string, string>>
}): ReleaseRule {
  const { share = 0, match } = rule
  if (typeof share !== 'number' || !(share >= 0 && share <= 100))
    throw invalidArgument('release.share', share, 'a number of percent from 0 to 100')
  if (match === undefined) {
    if (share > 0) return { share }
    throw invalidArgument('release', rule, 'a share above 0, or labels to match')
  }
  return { share, match: checkedLabels('release.match', match, 1) }
}

export function checkedLabels(
  field: string,
  labels: Readonly<Record<string, string>>,
  countMin = 0,
): Readonly<Record<string, string>> {
  const entries = Object.entries(labels)
  if (entries.length < countMin || entries.length > labelsMax)
    throw invalidArgument(field, labels, `${countMin}..${labelsMax} labels`)
  for (const [name, value] of entries) {
    shortText(`${field} (name)`, name, 128)
    if (value === undefined) throw invalidArgument(`${field}.${name}`, value, 'a text')
    shortText(`${field}.${name}`, value, 256)
  }
  return Object.fromEntries(entries)
}

/** The rule after a step of the release. Nobody who has the version may lose it by that: throws `invalid-argument`. */
export function widenedRule(
  before: ReleaseRule,
  step: { readonly share?: number; readonly match?: Readonly<Record<string, string>> },
): ReleaseRule {
  const share = step.share ?? before.share
  const match = step.match ?? before.match
  const next = checkedRule({ share, ...(match === undefined ? {} : { match }) })
  if (next.share < before.share)
    throw invalidArgument(
      'release.share',
      share,
      `${before.share} or more: a share only grows; abort the release to take it back`,
    )
  const isKept = before.match === undefined || isWider(next.match ?? {}, before.match)
  if (!isKept)
    throw invalidArgument(
      'release.match',
      step.match,
      'the labels as they are, or fewer: who has the version keeps it',
    )
  return next
}

/** Whether all that match `b` match `a`. */
function isWider(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return Object.entries(a).every(([name, value]) => b[name] === value)
}
