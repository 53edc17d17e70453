import { AlthingError } from '../../contracts/errors.ts'

export type ServerVersion = readonly [major: number, minor: number, patch: number]

/** The first with watches in fragments, comparisons of leases, and transactions in transactions. */
const oldest: ServerVersion = [3, 4, 0]

/** Throws `incompatible-peer` for a server that is too old, or says nothing that is a version. */
export function parseServerVersion(text: string): ServerVersion {
  const match = /^(\d+)\.(\d+)\.(\d+)/.exec(text)
  const version = (match ?? []).slice(1).map(Number) as unknown as ServerVersion
  if (match !== null && isAtLeast(version, oldest)) return version
  throw new AlthingError(
    'incompatible-peer',
    `the server says that it is etcd '${text}', but must be ${oldest.join('.')} or later`,
    { outcome: 'none', details: { version: text } },
  )
}

/**
 * Whether the answer to a request for progress comes after all events up to its revision. Before 3.4.25 and 3.5.8 it may overtake them
 * (https://github.com/etcd-io/etcd/issues/15220).
 */
export function reportsProgressInOrder(version: ServerVersion): boolean {
  const [major, minor] = version
  if (major === 3 && minor === 4) return isAtLeast(version, [3, 4, 25])
  return isAtLeast(version, [3, 5, 8])
}

/**
 * Whether a leader that was deposed while it stood still leaves the leases to its successor. Before 3.4.31 and 3.5.13 it ends all whose time it believes to be over, though they have been
 * renewed since (https://github.com/etcd-io/etcd/issues/15247).
 */
export function leavesLeasesToSuccessor(version: ServerVersion): boolean {
  const [major, minor] = version
  if (major === 3 && minor === 4) return isAtLeast(version, [3, 4, 31])
  return isAtLeast(version, [3, 5, 13])
}

function isAtLeast(version: ServerVersion, bound: ServerVersion): boolean {
  for (let i = 0; i < 3; i++) {
    const difference = (version[i] as number) - (bound[i] as number)
    if (difference !== 0) return difference > 0
  }
  return true
}
