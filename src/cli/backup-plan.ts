import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Role } from '../protocols/raft/types.ts'

/** A copy of a group on a member that answers. */
export interface BackupSource {
  readonly group: number
  /** `default` for the cluster's own. */
  readonly name: string
  readonly node: number
  readonly address: string
  /** In the cluster's own group. */
  readonly role: Role
  readonly isReady: boolean
}

export interface BackupChoice {
  readonly group?: string
  readonly all?: boolean
  readonly node?: number
}

/** Which copy of which group to read: of each a ready follower's, so that the leader is spared. Throws `invalid-argument` or `unavailable`. */
export function planBackup(sources: readonly BackupSource[], choice: BackupChoice): BackupSource[] {
  const offered = choice.node === undefined ? sources : sources.filter(({ node }) => node === choice.node)
  if (offered.length === 0 && choice.node !== undefined)
    throw new AlthingError('unavailable', `node ${choice.node} does not answer, or has no copy of anything`)
  const wanted = choice.all === true ? everyGroup(offered) : [oneGroup(offered, choice.group ?? 'default')]
  return wanted.map((group) => bestOf(offered.filter((source) => source.group === group)))
}

function everyGroup(sources: readonly BackupSource[]): number[] {
  return [...new Set(sources.map(({ group }) => group))].sort((a, b) => a - b)
}

function oneGroup(sources: readonly BackupSource[], wanted: string): number {
  const found = sources.find(({ group, name }) => String(group) === wanted || name === wanted)
  if (found !== undefined) return found.group
  const names = new Set(sources.map(({ name }) => name))
  throw invalidArgument('--group', wanted, `one of ${[...names].join(', ')}`)
}

function bestOf(sources: readonly BackupSource[]): BackupSource {
  const rank = ({ isReady, role }: BackupSource): number => (isReady ? 0 : 2) + (role === 'leader' ? 1 : 0)
  return [...sources].sort((a, b) => rank(a) - rank(b))[0] as BackupSource
}
