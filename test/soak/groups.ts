import { open } from 'althing'
import { world } from '../processes/support/node-cluster.ts'
import type { Field } from './field.ts'
import type { Fault } from './faults.ts'
import type { Judge } from './judge.ts'
import { Workload } from './workload.ts'

const groupsMax = 3
const clientsPerGroup = 2
const restMsMax = 120

/** The groups that come and go beside the cluster's own store, each with clients of its own while it is there. */
export class SoakGroups {
  readonly #judge: Judge
  readonly #living = new Map<string, Workload>()
  #created = 0
  #windows = 0

  constructor(judge: Judge) {
    this.#judge = judge
  }

  /** Judged so far, of groups that are there and of those that are gone. */
  get windowsJudged(): number {
    return [...this.#living.values()].reduce((sum, { windowsJudged }) => sum + windowsJudged, this.#windows)
  }

  get faults(): readonly Fault[] {
    return [
      {
        kind: 'create group',
        weight: 2,
        isPossible: () => this.#living.size < groupsMax,
        run: (field) => this.#create(field),
      },
      {
        kind: 'remove group',
        weight: 1,
        isPossible: () => this.#living.size > 0,
        run: (field) => this.#remove(field),
      },
    ]
  }

  async judgeWindows(): Promise<void> {
    await Promise.all([...this.#living.values()].map((workload) => workload.judgeWindow()))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#living.keys()].map((name) => this.#rest(name)))
  }

  async #create(field: Field): Promise<void> {
    const name = `part-${++this.#created}`
    field.report(`creating group ${name}`)
    await field.command('group', 'create', name).catch(async (error: unknown) => {
      // Its answer may have been lost, and the second call then refused.
      if (!(await this.#exists(field, name))) throw error
    })
    const { random, tally, cluster } = field
    const workload = new Workload({
      url: `${cluster.url}/${name}`,
      name: `${name}-c`,
      clients: clientsPerGroup,
      random: random.fork(name),
      tally,
      judge: this.#judge,
      restMsMax,
    })
    await workload.start()
    this.#living.set(name, workload)
  }

  async #remove(field: Field): Promise<void> {
    const name = field.random.pick([...this.#living.keys()])
    field.report(`removing group ${name}`)
    await this.#rest(name)
    await field.command('group', 'remove', name).catch(async (error: unknown) => {
      if (await this.#exists(field, name)) throw error
    })
    const answer = await open(`${field.cluster.url}/${name}`, { world }).then(
      async (althing) => {
        const code: unknown = await althing.store.get('gone').then(
          () => 'an answer',
          (error: { readonly code?: string }) => error.code,
        )
        await althing.close()
        return code
      },
      (error: { readonly code?: string }) => error.code,
    )
    if (answer !== 'not-found') field.tally.problem(`the removed group ${name} gave ${String(answer)}`)
  }

  async #exists(field: Field, wanted: string): Promise<boolean> {
    return (await field.groups()).some(({ name }) => name === wanted)
  }

  /** Ends the clients of a group and judges what they saw. */
  async #rest(name: string): Promise<void> {
    const workload = this.#living.get(name)
    this.#living.delete(name)
    await workload?.stop()
    this.#windows += workload?.windowsJudged ?? 0
  }
}
