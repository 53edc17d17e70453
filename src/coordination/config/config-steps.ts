import { AlthingError } from '../../contracts/errors.ts'
import type { ConfigStep, NextRecord, Signature } from './config-writer.ts'
import type {
  ConfigRecord,
  HistoryEntry,
  ReleaseRule,
  ReleaseStep,
  StoredVersion,
  VersionCause,
} from './config-record.ts'
import { checkedRule, widenedRule } from './staged-release.ts'

export interface ReleaseRequest {
  /** Percent of the instances, by the hash of their ids. */
  readonly share?: number
  /** Instances that have all these labels. */
  readonly match?: Readonly<Record<string, string>>
}

const stepsMax = 50

type Content = Pick<StoredVersion, 'values' | 'instances'>

/** A version with this content: for all at once, or staged when `release` says for whom. */
export function newVersion(
  cause: VersionCause,
  contentOf: (before: ConfigRecord) => Content | Promise<Content>,
  release: ReleaseRequest | undefined,
): ConfigStep {
  const rule = release === undefined ? undefined : checkedRule(release)
  return async (before, signature) => {
    assertNothingStaged(before)
    const content = await contentOf(before)
    const version: StoredVersion = { version: before.latest + 1, ...content, cause, ...signature }
    const latest = version.version
    if (rule === undefined) {
      const record = { ...before, latest, stable: version }
      return { record, entries: [{ ...version, steps: [] }], toCheck: [version] }
    }
    const steps = [stepOf('staged', rule, signature)]
    const record = { ...before, latest, staged: { version, rule, steps } }
    return { record, entries: [{ ...version, steps }], toCheck: [version] }
  }
}

/** The staged version goes to more instances. */
export function widen(release: ReleaseRequest): ConfigStep {
  return (before, signature) => {
    const staged = stagedOf(before)
    const rule = widenedRule(staged.rule, release)
    const steps = [...staged.steps, stepOf('widened', rule, signature)].slice(-stepsMax)
    const record = { ...before, staged: { ...staged, rule, steps } }
    return { record, entries: [{ ...staged.version, steps }], toCheck: [] }
  }
}

/** The staged version becomes the one of all. */
export function promote(): ConfigStep {
  return (before, signature) => {
    const { version, rule, steps } = stagedOf(before)
    const { staged: _, ...rest } = before
    const entry = { ...version, steps: [...steps, stepOf('promoted', rule, signature)].slice(-stepsMax) }
    return { record: { ...rest, stable: version }, entries: [entry], toCheck: [version] }
  }
}

/** The stable content again, under a number of its own: so that the numbers of those who had the staged version do not go back. */
export function abort(): ConfigStep {
  return (before, signature) => {
    const { version, rule, steps } = stagedOf(before)
    const { staged: _, ...rest } = before
    const { values, instances } = before.stable
    const cause: VersionCause = { kind: 'abort', of: before.stable.version }
    const stable: StoredVersion = { version: before.latest + 1, values, instances, cause, ...signature }
    const ended: HistoryEntry = {
      ...version,
      steps: [...steps, stepOf('aborted', rule, signature)].slice(-stepsMax),
    }
    // What all but a few ran until now needs no leave: an abort must always be possible.
    return {
      record: { ...rest, latest: stable.version, stable },
      entries: [ended, { ...stable, steps: [] }],
      toCheck: [],
    } satisfies NextRecord
  }
}

function stepOf(step: ReleaseStep['step'], rule: ReleaseRule, signature: Signature): ReleaseStep {
  return { step, ...rule, ...signature }
}

function stagedOf({ staged }: ConfigRecord): NonNullable<ConfigRecord['staged']> {
  if (staged === undefined)
    throw new AlthingError('not-found', 'no version is being released in stages', { outcome: 'none' })
  return staged
}

function assertNothingStaged({ staged }: ConfigRecord): void {
  if (staged === undefined) return
  const { version } = staged.version
  throw new AlthingError(
    'conflict',
    `version ${version} is being released in stages: promote it or abort it first`,
    {
      outcome: 'none',
      details: { version },
    },
  )
}
