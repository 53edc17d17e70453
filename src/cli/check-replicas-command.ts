import type { Command } from 'commander'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import type { GroupStatus } from '../engines/cluster/node-status.ts'
import type { CalledNode } from '../engines/cluster/operator-links.ts'
import { checkGroup } from '../engines/cluster/replicas/check-group.ts'
import { isSound, type ReplicaComparison } from '../engines/cluster/replicas/compare-replicas.ts'
import { durationMs } from './arguments.ts'
import type { MemberAnswer } from '../node/diagnosis/member-answer.ts'
import { askMembers } from './ask-members.ts'
import { formatComparison } from './format-comparison.ts'
import { openNodes } from './open-nodes.ts'
import { print } from './output.ts'
import { withSlowProgress } from './progress.ts'
import { commandWorld, type TargetOptions, targetUrl } from './target.ts'

interface CheckReplicasOptions extends TargetOptions {
  readonly group?: string
  readonly timeout: string
}

/** `althing check replicas`: below `check`, which judges histories. */
export function registerCheckReplicasCommand(check: Command): void {
  check
    .command('replicas')
    .description(
      'compare the copies of every group at one place of its log; exit code 1 when one differs or is damaged',
    )
    .option('--url <url>', 'the cluster: althing://HOST:PORT,HOST:PORT (or $ALTHING_URL)')
    .option('--group <name>', 'only this group, by name or number')
    .option('--timeout <duration>', 'how long to wait for the copies', '60s')
    .option('--json', 'print JSON')
    // `check` has options of these names too, which would keep them for itself.
    .action((_: unknown, command: Command) => checkReplicas(command.optsWithGlobals<CheckReplicasOptions>()))
}

async function checkReplicas(options: CheckReplicasOptions): Promise<void> {
  const world = commandWorld()
  const timeoutMs = durationMs('--timeout', options.timeout)
  const comparisons = await withSlowProgress(world.timers, 'Comparing', options.json !== true, async () =>
    compareAll(world, await askMembers(world, await targetUrl(world, options)), options.group, timeoutMs),
  )
  await print(options.json, { groups: comparisons }, comparisons.map(formatComparison).join(''))
  if (!comparisons.every(isSound)) process.exitCode = 1
}

async function compareAll(
  world: World,
  members: readonly MemberAnswer[],
  wanted: string | undefined,
  timeoutMs: number,
): Promise<ReplicaComparison[]> {
  const answering = members.filter(({ status }) => status !== undefined)
  const { nodes, close } = await openNodes(world, answering)
  try {
    const groups = await leadersOf(nodes)
    const chosen = groups.filter(
      ({ id, name }) => wanted === undefined || String(id) === wanted || name === wanted,
    )
    if (chosen.length === 0)
      throw invalidArgument('--group', wanted, `one of ${groups.map(({ name }) => name).join(', ')}`)
    const comparisons: ReplicaComparison[] = []
    for (const group of chosen) comparisons.push(await compare(world, group, nodes, timeoutMs))
    return comparisons
  } finally {
    close()
  }
}

function compare(
  world: World,
  { id, name, leader, voters, learners }: GroupStatus,
  nodes: ReadonlyMap<number, CalledNode>,
  timeoutMs: number,
): Promise<ReplicaComparison> {
  const callOf = (node: number): CalledNode => nodes.get(node) ?? silent
  const replicas = [...voters, ...learners].map((node) => ({ node, call: callOf(node) }))
  return checkGroup({ world, group: id, name, leader: callOf(leader), replicas, timeoutMs })
}

/** Each group as the one that leads it says. Rejects with `unavailable` when a group has no leader. */
async function leadersOf(nodes: ReadonlyMap<number, CalledNode>): Promise<GroupStatus[]> {
  const lists = await Promise.all([...nodes.values()].map((node) => node.operate('node.groups')))
  const groups = new Map<number, GroupStatus | undefined>()
  for (const group of lists.flat() as unknown as GroupStatus[]) {
    const known = groups.get(group.id)
    const isNewer = group.role === 'leader' && group.term > (known?.term ?? 0)
    groups.set(group.id, isNewer ? group : known)
  }
  const leaderless = [...groups].filter(([, group]) => group === undefined).map(([id]) => id)
  if (leaderless.length > 0)
    throw new AlthingError('unavailable', `nobody leads group ${leaderless.join(', ')} at the moment`)
  return [...groups.values()].flatMap((group) => group ?? []).sort((a, b) => a.id - b.id)
}

const silent: CalledNode = {
  operate: () => Promise.reject(new AlthingError('unavailable', 'it does not answer')),
}
