/** One of `member.list`, as far as it matters here. */
export interface ListedMember {
  readonly id: number
  readonly role: 'voter' | 'learner' | 'none'
  readonly state: 'invited' | 'joined' | 'leaving' | 'removed'
  readonly replacedBy?: number
}

/** One of `group.list`. */
export interface ListedGroup {
  readonly name: string
  readonly replicas: number
  readonly members: readonly number[]
  readonly isSettled: boolean
}

/** The nodes that are run here, by what the cluster says of them. */
export interface Account {
  /** They have left. */
  readonly removed: readonly number[]
  /** They were never let in. */
  readonly refused: readonly number[]
  /** They are to leave, and do so as soon as they can be spared. */
  readonly leaving: readonly number[]
  /** Members that nobody runs any more, and whose place nobody takes. */
  readonly abandoned: readonly number[]
}

export function accountOf(run: readonly number[], listed: readonly ListedMember[]): Account {
  const byId = new Map(listed.map((each) => [each.id, each]))
  const outsiders = run.filter((id) => byId.get(id)?.role !== 'learner' && byId.get(id)?.role !== 'voter')
  const stateOf = (id: number): ListedMember['state'] | undefined => byId.get(id)?.state
  return {
    removed: run.filter((id) => stateOf(id) === 'removed'),
    // One that has just joined becomes a learner a moment later.
    refused: outsiders.filter((id) => stateOf(id) === undefined || stateOf(id) === 'invited'),
    leaving: run.filter((id) => stateOf(id) === 'leaving'),
    abandoned: listed
      .filter(({ id, role }) => role !== 'none' && !run.includes(id))
      .filter(({ replacedBy }) => replacedBy === undefined || !run.includes(replacedBy))
      .map(({ id }) => id),
  }
}

/** A group that has not all the copies it could have where they belong. */
export interface LackingGroup {
  readonly name: string
  readonly problem: string
}

export function lackingGroups(
  groups: readonly ListedGroup[],
  listed: readonly ListedMember[],
): LackingGroup[] {
  const members = listed.filter(({ role, state }) => role === 'voter' && state !== 'leaving')
  const ids = members.map(({ id }) => id)
  return groups.flatMap(({ name, replicas, members: copies, isSettled }) => {
    const wanted = Math.min(replicas, ids.length)
    if (copies.length === wanted && isSettled && copies.every((id) => ids.includes(id))) return []
    const where = copies.length === 0 ? '' : ` on ${copies.join(', ')}`
    const settled = isSettled ? 'settled' : 'not settled'
    const problem = `group ${name} has ${copies.length} copies${where}, ${settled}; ${wanted} are wanted, of members ${ids.join(', ')}`
    return [{ name, problem }]
  })
}
