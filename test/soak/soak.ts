import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { textFromBytes } from '../../src/base/bytes.ts'
import { SeededRandom } from 'althing/testing/world'
import { eventually, pause } from '../processes/support/eventually.ts'
import { NodeCluster, world } from '../processes/support/node-cluster.ts'
import { ownCopy } from '../processes/support/own-copy.ts'
import { buildPreviousRelease } from '../processes/support/previous-release.ts'
import { type Fault, nodeFaults, quotaFault } from './faults.ts'
import { Field } from './field.ts'
import { SoakGroups } from './groups.ts'
import { Judge } from './judge.ts'
import { memoryCourses } from './memory.ts'
import { MemoryMeter } from './memory-meter.ts'
import { nodeArguments } from './node-arguments.ts'
import type { SoakReport } from './report.ts'
import { SmallDisk } from './small-disk.ts'
import { Tally } from './tally.ts'
import { ledgerPrefix, Workload } from './workload.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly seed: string
  report(text: string): void
}

const foundingMembers = 3
const clients = 6
const restMsMax = 60
const windowMs = 15_000
const sampleEveryMs = 5_000
/** Of the time, the share that the previous release has the cluster to itself, in milliseconds at most. */
const oldShare = 0.04
const oldMsMax = 30_000
const calmMsMax = 2_000
/** Beyond so many the rest would tell nothing new. */
const problemsMax = 20

/** One run. Whatever it finds is in the report; it rejects only when it could not be made at all. */
export class Soak {
  readonly #options: SoakOptions
  readonly #random: SeededRandom
  readonly #tally: Tally
  readonly #judge = new Judge()
  readonly #groups = new SoakGroups(this.#judge)
  readonly #counts = new Map<string, number>()
  readonly #folder = mkdtempSync(join(tmpdir(), 'althing-soak-'))
  #startedMs = world.clock.monotonicMs()
  #isOver = false
  #upgrade = ''

  constructor(options: SoakOptions) {
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    this.#tally = new Tally((text) => this.#report(text))
  }

  async run(): Promise<SoakReport> {
    const smallDisk = await SmallDisk.mount(join(this.#folder, 'small'))
    let cluster: NodeCluster | undefined
    try {
      cluster = await NodeCluster.create(foundingMembers, {
        folder: this.#folder,
        ...(smallDisk === undefined ? {} : { dataFolders: { 3: join(smallDisk.folder, 'node-3') } }),
      })
      return await this.#course(cluster, smallDisk)
    } finally {
      this.#isOver = true
      this.#judge.close()
      await cluster?.stop()
      await smallDisk?.unmount()
      rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 })
    }
  }

  async #course(cluster: NodeCluster, smallDisk: SmallDisk | undefined): Promise<SoakReport> {
    const previous = await this.#previousRelease()
    for (const member of cluster.members) {
      member.args = nodeArguments
      member.start(previous === undefined ? {} : { script: previous })
    }
    await cluster.ready()
    const workload = this.#workload(cluster)
    await workload.start()
    // What it takes to get there is not a part of the soak.
    this.#startedMs = world.clock.monotonicMs()
    const meter = new MemoryMeter(cluster, sampleEveryMs, () => this.#elapsedMs)
    const windows = this.#judgeWindows(workload)
    if (previous !== undefined) await this.#upgradeAll(cluster)
    const field = new Field({
      cluster,
      smallDisk,
      random: this.#random.fork('faults'),
      tally: this.#tally,
      report: (text) => this.#report(text),
    })
    await this.#faults(field)
    await this.#endsCalm(field)
    this.#isOver = true
    await windows
    meter.stop()
    await this.#groups.stop()
    await workload.stop()
    await this.#compareCopies(field, workload).catch((error: unknown) =>
      this.#tally.problem(`the copies cannot be compared: ${described(error)}`),
    )
    return this.#summary(field, workload, meter)
  }

  #workload(cluster: NodeCluster): Workload {
    return new Workload({
      url: cluster.url,
      name: 'c',
      clients,
      random: this.#random.fork('clients'),
      tally: this.#tally,
      judge: this.#judge,
      restMsMax,
    })
  }

  /** Its command; `undefined` when it cannot be built from this clone. */
  async #previousRelease(): Promise<string | undefined> {
    const folder = join(this.#folder, 'previous')
    mkdirSync(folder)
    const previous = await buildPreviousRelease(folder)
    if ('command' in previous) return previous.command
    this.#upgrade = `none: ${previous.missing}`
    this.#report(`no upgrade: ${previous.missing}`)
    return undefined
  }

  async #upgradeAll(cluster: NodeCluster): Promise<void> {
    await pause(Math.min(oldMsMax, this.#options.minutes * 60_000 * oldShare))
    const before = this.#tally.calls
    for (const member of cluster.members) {
      this.#report(`upgrading node ${member.id}`)
      await member.stop()
      member.start()
      await member.ready()
      await pause(calmMsMax)
    }
    this.#upgrade = `${cluster.members.length} nodes, one by one, during ${this.#tally.calls - before} calls`
    this.#counted('upgrade node', cluster.members.length)
  }

  async #faults(field: Field): Promise<void> {
    const all = [
      ...nodeFaults,
      ...this.#groups.faults,
      ...(field.smallDisk === undefined ? [quotaFault] : []),
    ]
    while (this.#elapsedMs < this.#options.minutes * 60_000 && this.#tally.problems.length < problemsMax) {
      await pause(field.random.integer(0, calmMsMax))
      const fault = drawn(field, all)
      try {
        await fault.run(field)
        this.#counted(fault.kind)
        await field.heals()
      } catch (error) {
        this.#tally.problem(`${fault.kind}: ${described(error)}`)
        await this.#restoreAll(field)
      }
    }
  }

  /** Whatever the last fault left. */
  async #endsCalm(field: Field): Promise<void> {
    await field.heals().catch((error: unknown) => this.#tally.problem(`at the end: ${described(error)}`))
  }

  /** So that the next fault finds a cluster that can serve. */
  async #restoreAll(field: Field): Promise<void> {
    field.smallDisk?.free()
    for (const member of field.cluster.members) {
      if (member.isPaused) member.resume()
      if (!member.process.isRunning) member.start()
      await member.cutOffFrom([]).catch(() => {})
    }
    await field.agrees().catch((error: unknown) => this.#tally.problem(`the members: ${described(error)}`))
    await pause(calmMsMax)
  }

  async #judgeWindows(workload: Workload): Promise<void> {
    for (let nextMs = windowMs; !this.#isOver; nextMs += windowMs) {
      while (this.#elapsedMs < nextMs && !this.#isOver) await pause(200)
      try {
        await Promise.all([workload.judgeWindow(), this.#groups.judgeWindows()])
      } catch (error) {
        this.#tally.problem(`judging: ${described(error)}`)
      }
    }
  }

  /** What every node has on its own disk is what its clients were promised. */
  async #compareCopies({ cluster, members }: Field, { ledger }: Workload): Promise<void> {
    await Promise.all(members.map((member) => member.ready()))
    const leader = await (await cluster.leader()).ready()
    for (const member of members) {
      await eventually(`node ${member.id} has caught up`, async () => {
        return ((await member.status())?.revision ?? 0) >= leader.revision
      })
      const copy = new Map(
        (await ownCopy(member, ledgerPrefix)).map((kv) => [kv.key, textFromBytes(kv.value)]),
      )
      for (const key of ledger.keys) {
        const problem = ledger.problemWith(key, copy.get(key))
        if (problem !== undefined) this.#tally.problem(`on node ${member.id}: ${problem}`)
      }
    }
  }

  async #summary(field: Field, workload: Workload, meter: MemoryMeter): Promise<SoakReport> {
    const { ok, failed, unknown, byCode, problems, longestSilenceMs } = this.#tally
    const store = await storeOf(field.cluster)
    const memory = memoryCourses(meter.samples, this.#elapsedMs).map((course) => ({
      ...course,
      isVeteran: field.veterans.some(({ id }) => id === course.node),
    }))
    return {
      seed: this.#options.seed,
      minutes: this.#elapsedMs / 60_000,
      upgrade: this.#upgrade,
      disk: field.smallDisk === undefined ? 'no mount is permitted: the quota is filled instead' : 'tmpfs',
      faults: Object.fromEntries([...this.#counts].sort(([a], [b]) => a.localeCompare(b))),
      calls: { ok, failed, unknown, failuresByCode: Object.fromEntries(byCode) },
      windows: workload.windowsJudged + this.#groups.windowsJudged,
      longestMsWithoutWrite: Math.round(longestSilenceMs),
      ...(store === undefined ? {} : { store }),
      members: field.members.map(({ id }) => id),
      memory,
      problems,
      isHeld: problems.length === 0,
    }
  }

  get #elapsedMs(): number {
    return world.clock.monotonicMs() - this.#startedMs
  }

  #counted(kind: string, times = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + times)
  }

  #report(text: string): void {
    this.#options.report(`${(this.#elapsedMs / 1_000).toFixed(1).padStart(8)} s  ${text}`)
  }
}

/** `undefined` when nobody leads any more. */
async function storeOf(cluster: NodeCluster): Promise<Required<SoakReport>['store'] | undefined> {
  try {
    const { keys, revision, compactRevision } = await (await cluster.leader()).ready()
    return { keys, revision, compactRevision }
  } catch {
    return undefined
  }
}

function drawn(field: Field, all: readonly Fault[]): Fault {
  const possible = all.filter((fault) => fault.isPossible(field))
  let dice = field.random.integer(
    1,
    possible.reduce((sum, { weight }) => sum + weight, 0),
  )
  return possible.find(({ weight }) => (dice -= weight) <= 0) as Fault
}

function described(error: unknown): string {
  const { message, cause } = error as Error
  return cause === undefined
    ? message
    : `${message} (${cause instanceof Error ? cause.message : String(cause)})`
}
