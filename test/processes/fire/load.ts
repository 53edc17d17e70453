import { open, textCodec, TypedStore } from 'althing'
import { checkLinearizability, versionedKvModel } from 'althing/testing/checkers'
import { HistoryRecorder } from 'althing/testing/history'
import { expect } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { clusterName, type NodeCluster, world } from '../support/node-cluster.ts'
import { ownCopy } from '../support/own-copy.ts'
import { OutageMeter } from './outages.ts'
import { FireClient, ledgerPrefix, readShared, sharedKeys } from './recorded-client.ts'

const judgeWithinMs = 120_000
const ledgerMin = 100

/** Clients that write and read all the while, and the word on what they saw. */
export class Load {
  readonly history = new HistoryRecorder(world.clock)
  readonly #outages = new OutageMeter()
  readonly #ledger = new Map<string, number>()
  readonly #players: readonly FireClient[]
  readonly #cluster: NodeCluster

  /** One client for each way to open a store. */
  static async start(cluster: NodeCluster, opens: readonly (typeof open)[]): Promise<Load> {
    const load = new Load(cluster, opens)
    await Promise.all(load.#players.map((player) => player.start()))
    return load
  }

  private constructor(cluster: NodeCluster, opens: readonly (typeof open)[]) {
    this.#cluster = cluster
    const shared = {
      url: cluster.url,
      history: this.history,
      outages: this.#outages,
      ledger: this.#ledger,
    }
    this.#players = opens.map((each, i) => new FireClient({ ...shared, name: `c${i + 1}`, open: each }))
  }

  /** Resolves when so many more writes have been acknowledged. */
  async served(writes: number): Promise<void> {
    const sinceMs = world.clock.monotonicMs()
    await eventually(`${writes} writes`, () => this.#outages.countSince(sinceMs) >= writes)
  }

  /** Stops, and judges: nothing acknowledged may be lost, and the history must be linearizable. */
  async judge(): Promise<void> {
    await Promise.all(this.#players.map((player) => player.stop()))
    const surprises = this.#players.flatMap((player) => player.surprises)
    expect(surprises, 'failures that no fault explains').toEqual([])
    await this.#readAll()
    const result = checkLinearizability(versionedKvModel(), this.history.operations(), {
      clock: world.clock,
      timeLimitMs: judgeWithinMs,
    })
    expect(result.verdict, result.violation?.message ?? result.reason).toBe('ok')
    await this.#expectOnEveryNode()
    expect(this.#ledger.size).toBeGreaterThan(ledgerMin)
  }

  async #expectOnEveryNode(): Promise<void> {
    const leader = await (await this.#cluster.leader()).ready()
    for (const member of this.#cluster.members) {
      await eventually(`node ${member.id} has caught up`, async () => {
        const status = await member.status()
        return status !== undefined && status.revision >= leader.revision
      })
      const copy = new Map((await ownCopy(member, ledgerPrefix)).map((kv) => [kv.key, kv.modRevision]))
      const lost = [...this.#ledger].filter(([key, revision]) => copy.get(key) !== revision)
      expect(lost, `acknowledged writes that node ${member.id} lacks`).toEqual([])
    }
  }

  async #readAll(): Promise<void> {
    const althing = await open(this.#cluster.url, { world, clusterId: clusterName })
    const reader = this.history.client('last')
    const store = new TypedStore(althing.raw).as(textCodec)
    for (const key of sharedKeys) await readShared(reader, store, key)
    await althing.close()
  }
}
