import { NodeClient } from 'althing/engines'
import { createNodeWorld } from 'althing/world'
import type { Cluster } from '../cluster.ts'
import { processorSeconds } from '../processor-time.ts'
import { formatNumber, formatTable } from '../report.ts'
import { residentMebibytes } from '../scale/server-usage.ts'
import { eventually } from '../../test/engines/servers/server-process.ts'
import { rounded } from '../statistics.ts'
import { ownArea } from './ours-only.ts'

const groups = 100
/** For elections, the spreading of leaders and what a runtime compiler does late. */
const settleMs = 10_000
const idleMs = 20_000
const callMsMax = 10_000
const serveMsMax = 60_000

interface Idle {
  readonly coresPercent: number
  readonly memoryMebibytes: number
}

/** What three nodes use while nothing happens: with the cluster's own group alone, and with a hundred more. */
export const benchIdleGroups = ownArea(async (cluster, print) => {
  const alone = await observe(cluster)
  const createMs = await createGroups(cluster)
  const many = await observe(cluster)
  const rows = (
    [
      ['1 group', alone],
      [`${groups + 1} groups`, many],
    ] as const
  ).map(([name, idle]) => [name, formatNumber(idle.coresPercent), formatNumber(idle.memoryMebibytes)])
  print(formatTable(['three idle nodes', 'CPU of all, % of a core', 'memory of all, MiB'], rows))
  print(`${groups} groups created, and all of them serving, in ${Math.round(createMs)} ms`)
  const setup = { groups, idleMs, createMs: rounded(createMs), alone, many }
  return { headline: many.coresPercent, unit: '% of a core, all nodes', setup }
})

async function observe(cluster: Cluster): Promise<Idle> {
  await pause(settleMs)
  const before = processorSeconds(cluster.pids)
  await pause(idleMs)
  const used = processorSeconds(cluster.pids) - before
  return {
    coresPercent: (used / (idleMs / 1_000)) * 100,
    memoryMebibytes: residentMebibytes(cluster.pids),
  }
}

/** Until all of them serve. */
async function createGroups(cluster: Cluster): Promise<number> {
  const { addresses } = await cluster.target()
  const leader = await cluster.leader()
  const world = createNodeWorld({ dataFolder: '.' })
  const client = await NodeClient.open(world, addresses[leader] as string, { timeoutMs: callMsMax })
  try {
    const startMs = performance.now()
    for (let number = 1; number <= groups; number++)
      await client.operate('group.create', { name: `bench-${number}`, waitMs: 1 })
    await eventually('all groups serve', serveMsMax, async () => {
      const listed = (await client.operate('group.list', null)) as readonly { isSettled: boolean }[]
      const serving = listed.filter(({ isSettled }) => isSettled).length
      if (serving <= groups) throw new Error(`${serving} groups serve`)
    })
    return performance.now() - startMs
  } finally {
    client.close()
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
