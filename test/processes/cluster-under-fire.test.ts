// Real node processes under SIGKILL, SIGSTOP and cut off from each other, real sockets, real disks; the whole history is judged afterwards.
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { textFromBytes } from '../../src/base/bytes.ts'
import { open, textCodec, TypedStore } from 'althing'
import { checkLinearizability, versionedKvModel } from 'althing/testing/checkers'
import { formatHistory, HistoryRecorder } from 'althing/testing/history'
import { afterAll, describe, expect, test } from 'vitest'
import { Killer } from './fire/killer.ts'
import { OutageMeter, type OutageReport } from './fire/outages.ts'
import { FireClient, ledgerPrefix, readShared, sharedKeys } from './fire/recorded-client.ts'
import { killAllChildren } from './support/child.ts'
import { eventually, pause } from './support/eventually.ts'
import { clusterName, NodeCluster, world } from './support/node-cluster.ts'
import { ownCopy } from './support/own-copy.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

const clients = 10
const judgeWithinMs = 180_000

const reports: Record<string, OutageReport> = {}

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
  const file = join(tmpdir(), 'althing-time-without-writes.json')
  writeFileSync(file, `${JSON.stringify(reports, undefined, 2)}\n`)
})

/** Everything that a run under fire leaves to be judged. */
interface Aftermath {
  readonly cluster: NodeCluster
  readonly history: HistoryRecorder
  readonly ledger: ReadonlyMap<string, number>
  readonly surprises: readonly unknown[]
  readonly killer: Killer
  readonly outages: OutageReport
}

describe.each([
  { size: 3, fireMs: 36_000 },
  { size: 5, fireMs: 30_000 },
])('$size nodes under fire', ({ size, fireMs }) => {
  test(
    'lose no acknowledged write, stay linearizable, and serve again after the death of each leader',
    async () => {
      reports[`${size} nodes`] = await judgedRun(size, fireMs)
    },
    fireMs + 2 * judgeWithinMs,
  )
})

async function judgedRun(size: number, fireMs: number): Promise<OutageReport> {
  const log: string[] = []
  const aftermath = await underFire(size, fireMs, log)
  const { cluster, killer, outages, surprises } = aftermath
  try {
    process.stdout.write(`${summaryLine(size, aftermath)}\n`)
    expect(surprises, 'failures that no fault explains').toEqual([])
    expect(killer.counts.leaderKills, log.join('\n')).toBeGreaterThan(0)
    expect(outages.outagesMs, 'writes after the death of each leader').toHaveLength(outages.kills)
    await readAllShared(aftermath)
    expectLinearizable(aftermath.history)
    await expectEveryAcknowledgedWrite(aftermath)
    return outages
  } finally {
    await cluster.stop()
  }
}

async function underFire(size: number, fireMs: number, log: string[]): Promise<Aftermath> {
  const cluster = await NodeCluster.start(size)
  const history = new HistoryRecorder(world.clock)
  const outages = new OutageMeter()
  const ledger = new Map<string, number>()
  const players = Array.from(
    { length: clients },
    (_, i) => new FireClient({ url: cluster.url, name: `c${i + 1}`, history, outages, ledger }),
  )
  const killer = new Killer(cluster, outages, (text) => log.push(text))
  await Promise.all(players.map((player) => player.start()))
  killer.start()
  await pause(fireMs)
  await killer.stop()
  await Promise.all(players.map((player) => player.stop()))
  await cluster.ready()
  const surprises = players.flatMap((player) => player.surprises)
  return { cluster, history, ledger, surprises, killer, outages: outages.report() }
}

/** The last word on each shared key, as a part of the history. */
async function readAllShared({ cluster, history }: Aftermath): Promise<void> {
  const althing = await open(cluster.url, { world, clusterId: clusterName })
  try {
    const reader = history.client('last')
    const store = new TypedStore(althing.raw).as(textCodec)
    for (const key of sharedKeys) await readShared(reader, store, key)
  } finally {
    await althing.close()
  }
}

function expectLinearizable(history: HistoryRecorder): void {
  const result = checkLinearizability(versionedKvModel(), history.operations(), {
    clock: world.clock,
    timeLimitMs: judgeWithinMs,
  })
  if (result.verdict !== 'ok') {
    const file = join(tmpdir(), `althing-history-${process.pid}.jsonl`)
    writeFileSync(file, formatHistory(history.events))
    const why = result.violation?.message ?? result.reason
    expect.unreachable(`${result.verdict}: ${why} (${file}, model versioned-kv)`)
  }
}

async function expectEveryAcknowledgedWrite({ cluster, ledger }: Aftermath): Promise<void> {
  const leader = await (await cluster.leader()).ready()
  for (const member of cluster.members) {
    await eventually(`node ${member.id} has caught up`, async () => {
      const status = await member.status()
      return status !== undefined && status.revision >= leader.revision
    })
    const kvs = await ownCopy(member, ledgerPrefix)
    const copy = new Map(kvs.map((kv) => [kv.key, kv]))
    const lost = [...ledger].filter(([key, revision]) => copy.get(key)?.modRevision !== revision)
    expect(lost, `acknowledged writes that node ${member.id} lacks`).toEqual([])
    const altered = kvs.filter(({ key, value }) => textFromBytes(value) !== key.slice(ledgerPrefix.length))
    expect(altered, `values that nobody wrote, on node ${member.id}`).toEqual([])
  }
}

function summaryLine(size: number, { history, ledger, killer, outages }: Aftermath): string {
  const { leaderKills, followerKills, pauses, cuts } = killer.counts
  return (
    `${size} nodes: time without writes after ${outages.kills} leader kills: ` +
    `median ${outages.medianMs} ms, max ${outages.maxMs} ms ` +
    `(${history.calls} calls, ${ledger.size} ledger writes acknowledged; killed ${leaderKills} leaders and ` +
    `${followerKills} others, paused ${pauses}, cut off ${cuts})`
  )
}
