import { AlthingError } from '../../../contracts/errors.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import { type Fields, fieldsOf, optionalWhole, requiredText, requiredWhole } from '../call-fields.ts'
import type { Membership } from '../membership/membership.ts'
import type { OperatorCall, Plain } from '../operator-calls.ts'
import type { SystemStore } from '../system-store.ts'
import {
  checkGroupName,
  type GroupDescriptor,
  groupKeys,
  isSettled,
  released,
  ownGroupName,
} from './group-descriptor.ts'
import type { GroupDirectory } from './group-directory.ts'
import { ownGroup } from './group-hosts.ts'
import { type Place, placeGroup } from './plan-groups.ts'

export interface GroupCallsOptions {
  readonly system: SystemStore
  readonly directory: GroupDirectory
  readonly membership: Membership
  places(): readonly Place[]
}

const replicasDefault = 3
const replicasMax = 9
/** Groups in a cluster. */
const groupsMax = 1_000
const writeAttempts = 8
const waitMsDefault = 10_000

/** The calls by which groups come and go. They are made at the leader of group 1. */
export class GroupCalls {
  readonly #options: GroupCallsOptions

  constructor(options: GroupCallsOptions) {
    this.#options = options
  }

  get calls(): Readonly<Record<string, OperatorCall>> {
    return {
      'group.list': async () => this.#list(),
      'group.create': async (argument) => this.#create(argument),
      'group.remove': async (argument) => this.#remove(argument),
      'group.settled': async (argument) => this.#settled(argument),
      'group.released': async (argument) => this.#released(argument),
    }
  }

  #list(): Plain {
    const { voters } = this.#options.membership.configuration
    const own = {
      id: ownGroup,
      name: ownGroupName,
      replicas: voters.length,
      members: voters,
      isSettled: true,
    }
    const others = [...this.#options.directory.all.values()].map((group) => ({
      id: group.id,
      name: group.name,
      replicas: group.replicas,
      members: group.members,
      isSettled: isSettled(group),
    }))
    return [own, ...others]
  }

  async #create(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['name', 'replicas', 'waitMs'])
    const name = checkGroupName(requiredText(fields, 'name'))
    const replicas = optionalWhole(fields, 'replicas') ?? replicasDefault
    if (replicas > replicasMax) throw refused(`a group has at most ${replicasMax} replicas`)
    const { system, directory, membership } = this.#options
    membership.assertAllSpeak()
    for (let attempt = 0; attempt < writeAttempts; attempt++) {
      const groups = [...directory.all.values()]
      if (directory.named(name) !== undefined) throw refused(`there is a group ${name} already`)
      if (groups.length >= groupsMax) throw refused(`there are ${groupsMax} groups already`)
      const members = placeGroup(groups, this.#options.places(), replicas)
      const counter = system.get<number>(groupKeys.counter)
      const id = counter?.value ?? ownGroup + 1
      const group: GroupDescriptor = {
        id,
        name,
        replicas,
        members,
        founders: members,
        placed: [],
        former: [],
      }
      const isWritten = await system.change([
        { key: groupKeys.counter, value: id + 1, modRevision: counter?.modRevision ?? 0 },
        { key: groupKeys.descriptor(id), value: group, modRevision: 0 },
      ])
      if (isWritten) return this.#created(group, optionalWhole(fields, 'waitMs') ?? waitMsDefault)
    }
    throw contended()
  }

  /** Its first leader reports: then the group serves. */
  async #created({ id, name, members }: GroupDescriptor, waitMs: number): Promise<Plain> {
    const { directory, membership } = this.#options
    const isServing = await membership.until(() => (directory.all.get(id)?.placed.length ?? 0) > 0, waitMs)
    return { id, name, members, isServing }
  }

  async #remove(argument: Plain): Promise<Plain> {
    const name = requiredText(fieldsOf(argument, ['name']), 'name')
    const { system, directory } = this.#options
    const group = directory.named(name)
    if (group === undefined)
      throw new AlthingError('not-found', `there is no group ${name}`, { outcome: 'none' })
    await system.change([{ key: groupKeys.descriptor(group.id), value: undefined }])
    return { id: group.id, name }
  }

  /** Told by a group's leader: who votes in it now. */
  async #settled(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['id', 'voters', 'revision'])
    const voters = (fields['voters'] as readonly NodeId[]).map(Number)
    return this.#update(fields, (group) => ({ ...group, placed: voters }))
  }

  /** Told by a member that had a copy: it has none any more. */
  async #released(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['id', 'node', 'revision'])
    const node = requiredWhole(fields, 'node')
    return this.#update(fields, (group) => released(group, node))
  }

  /** What is said of an older plan counts for nothing: it may have come late, and others may have copies, or vote, by now. */
  async #update(fields: Fields, change: (group: GroupDescriptor) => GroupDescriptor): Promise<Plain> {
    const { system, membership } = this.#options
    const entry = system.get<GroupDescriptor>(groupKeys.descriptor(requiredWhole(fields, 'id')))
    if (entry === undefined || entry.modRevision !== requiredWhole(fields, 'revision')) return null
    await system.change([{ key: entry.key, value: change(entry.value), modRevision: entry.modRevision }])
    membership.wake()
    return null
  }
}

function refused(problem: string): AlthingError {
  return new AlthingError('conflict', problem, { outcome: 'none' })
}

function contended(): AlthingError {
  return new AlthingError('conflict', 'someone else has just changed the groups: try again', {
    outcome: 'none',
    retryable: true,
  })
}
