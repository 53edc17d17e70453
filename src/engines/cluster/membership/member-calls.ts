import { AlthingError, invalidArgument } from '../../../contracts/errors.ts'
import type { World } from '../../../contracts/world.ts'
import { isJoint, isVoterOf, membersOf } from '../../../protocols/raft/configuration.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import type { StoreHost } from '../../local/store-host.ts'
import {
  fieldsOf,
  optionalAddress,
  optionalFlag,
  optionalWhole,
  requiredText,
  requiredWhole,
} from '../call-fields.ts'
import type { MemberSight } from '../node-status.ts'
import type { OperatorCall, Plain } from '../operator-calls.ts'
import type { SystemChange, SystemStore } from '../system-store.ts'
import type { AddressBook } from './address-book.ts'
import { removedMember } from './admission.ts'
import { drawSecret, encodeJoinToken, hashOfSecret, isSecret } from './join-token.ts'
import { type MemberRecord, memberKeys } from './member-record.ts'
import type { Membership } from './membership.ts'
import { riskOf } from './quorum-safety.ts'

export interface MemberCallsOptions {
  readonly world: World
  readonly self: NodeId
  readonly clusterId: string
  readonly host: StoreHost
  readonly system: SystemStore
  readonly book: AddressBook
  readonly membership: Membership
  /** How this node sees the member. */
  sightOf(member: NodeId): MemberSight | undefined
  /** Makes the same call at the node that leads group 1 now. */
  forward(name: string, argument: Plain): Promise<Plain>
}

type RecordParts = Partial<{ [Name in keyof MemberRecord]: MemberRecord[Name] | undefined }>

/** An invitation that nobody has used by then is void. */
const invitationMsDefault = 24 * 60 * 60 * 1_000
/** How long a call waits for the change that it began; the change goes on all the same. */
const waitMsDefault = 20_000
const writeAttempts = 8

/** The calls by which operators change who belongs to the cluster. They are made at the leader of group 1. */
export class MemberCalls {
  readonly #options: MemberCallsOptions

  constructor(options: MemberCallsOptions) {
    this.#options = options
  }

  /** By name. `member.join` is made by a new node, which has nothing to show but its invitation. */
  get calls(): Readonly<Record<string, OperatorCall>> {
    return {
      'member.list': async () => this.#list(),
      'member.add': async (argument) => this.#add(argument),
      'member.join': async (argument) => this.#join(argument),
      'member.promote': async (argument) => this.#promote(argument),
      'member.remove': async (argument) => this.#remove(argument),
      'member.replace': async (argument) => this.#replace(argument),
      'member.updateAddress': async (argument) => this.#updateAddress(argument),
    }
  }

  #list(): Plain {
    const { host, book, membership } = this.#options
    const { configuration, answering, records } = membership
    const { progress, lastIndex } = host.group.status()
    const ids = new Set([...membersOf(configuration), ...records.keys()])
    const members = [...ids]
      .sort((a, b) => a - b)
      .map((id) => {
        const record = records.get(id)
        const matchIndex = id === host.group.status().id ? lastIndex : progress.get(id)?.matchIndex
        const address = book.addressOf(id) ?? record?.address
        const seen = this.#options.sightOf(id)
        return {
          id,
          ...(address === undefined ? {} : { address }),
          role: roleOf(configuration, id),
          state: record?.state ?? 'joined',
          isAnswering: answering.has(id),
          ...(matchIndex === undefined ? {} : { matchIndex, behind: lastIndex - matchIndex }),
          ...(record?.replacedBy === undefined ? {} : { replacedBy: record.replacedBy }),
          ...(record?.expiresWallMs === undefined ? {} : { expiresWallMs: record.expiresWallMs }),
          ...(seen === undefined ? {} : { seen: seen as unknown as Plain }),
        }
      })
    return { leader: host.group.leader, members }
  }

  async #add(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['id', 'address', 'learner', 'validForMs'])
    this.#options.membership.assertAllSpeak()
    const address = optionalAddress(fields, 'address')
    if (address !== undefined) this.#assertFree(address, 0)
    const id = optionalWhole(fields, 'id')
    const promotes = optionalFlag(fields, 'learner') !== true
    return this.#invite({ id, address, promotes, validForMs: optionalWhole(fields, 'validForMs') }, [])
  }

  /** The dead member leaves in the same change that makes the new one a voter. */
  async #replace(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['dead', 'address', 'force', 'validForMs'])
    const dead = requiredWhole(fields, 'dead')
    const { membership } = this.#options
    membership.assertAllSpeak()
    const { configuration, answering } = membership
    if (!membersOf(configuration).includes(dead)) throw notAMember(dead)
    const address = optionalAddress(fields, 'address')
    if (address !== undefined) this.#assertFree(address, dead)
    if (optionalFlag(fields, 'force') !== true) {
      if (answering.has(dead))
        throw refused(
          `node ${dead} answers: it is not dead; to exchange a living member, add the new one and then remove this one`,
        )
      this.#assertSafe(configuration.voters, configuration.voters)
    }
    const invitation = {
      id: undefined,
      address,
      promotes: true,
      validForMs: optionalWhole(fields, 'validForMs'),
    }
    return this.#invite(invitation, [dead])
  }

  async #invite(
    invitation: {
      readonly id: NodeId | undefined
      readonly address: string | undefined
      readonly promotes: boolean
      readonly validForMs: number | undefined
    },
    replaced: readonly NodeId[],
  ): Promise<Plain> {
    const { world, system, membership, book, clusterId } = this.#options
    const secret = drawSecret(world.random)
    const { address, promotes, validForMs = invitationMsDefault } = invitation
    for (let attempt = 0; attempt < writeAttempts; attempt++) {
      const counter = system.get<number>(memberKeys.counter)
      const id = this.#freeId(invitation.id, counter?.value ?? 1)
      const record: MemberRecord = {
        id,
        state: 'invited',
        promotes,
        secretHash: hashOfSecret(secret),
        expiresWallMs: world.clock.wallMs() + validForMs,
        ...(address === undefined ? {} : { address }),
      }
      const next = Math.max(counter?.value ?? 1, id + 1)
      const changes: SystemChange[] = [
        { key: memberKeys.counter, value: next, modRevision: counter?.modRevision ?? 0 },
        { key: memberKeys.record(id), value: record, modRevision: 0 },
        ...replaced.map((dead) => this.#changed(dead, { state: 'leaving', replacedBy: id })),
      ]
      if (!(await system.change(changes))) continue
      membership.tick()
      const token = encodeJoinToken({ clusterId, id, secret, members: book.members })
      return { id, token, expiresWallMs: record.expiresWallMs ?? 0 }
    }
    throw contended()
  }

  /** Ids are given once, whatever became of those who had them. */
  #freeId(wanted: NodeId | undefined, counter: number): NodeId {
    const { membership } = this.#options
    const given = [...membersOf(membership.configuration), ...membership.records.keys()]
    const next = Math.max(counter, ...given.map((id) => id + 1))
    if (wanted === undefined) return next
    if (given.includes(wanted) || wanted < counter) {
      const problem = `the id ${wanted} was given before; ids are never given twice (the next one is ${next})`
      if (membership.entry(wanted)?.value.state === 'removed')
        throw new AlthingError('not-member', problem, { outcome: 'none' })
      throw conflict(problem)
    }
    return wanted
  }

  /** Can be repeated: a node whose answer was lost asks again. */
  async #join(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['id', 'secret', 'address', 'storageId', 'peerVersion'])
    const id = requiredWhole(fields, 'id')
    const { membership, system, world, book } = this.#options
    const address = optionalAddress(fields, 'address') ?? missing('address')
    const storageId = requiredText(fields, 'storageId')
    const entry = membership.entry(id)
    if (entry === undefined)
      throw new AlthingError('not-found', `nobody was invited as node ${id}`, { outcome: 'none' })
    const { secretHash, expiresWallMs, ...kept } = entry.value
    if (kept.state === 'removed' || kept.state === 'leaving') throw removedMember(id)
    if (kept.storageId === undefined || kept.storageId !== storageId) {
      if (secretHash === undefined || !isSecret(requiredText(fields, 'secret'), secretHash))
        throw new AlthingError(
          'permission-denied',
          `the token for node ${id} is not valid, or was used already`,
          { outcome: 'none' },
        )
      if (expiresWallMs === undefined || world.clock.wallMs() > expiresWallMs)
        throw new AlthingError(
          'permission-denied',
          `the invitation of node ${id} is over; make a new one: althing member add`,
          { outcome: 'none' },
        )
      this.#assertFree(address, id)
      const peerVersion = optionalWhole(fields, 'peerVersion') ?? 1
      const record: MemberRecord = { ...kept, state: 'joined', address, storageId, peerVersion }
      if (!(await system.change([{ key: entry.key, value: record, modRevision: entry.modRevision }])))
        throw contended()
      membership.tick()
    }
    return { members: book.members.map((member) => ({ id: member.id, address: member.address })) }
  }

  async #promote(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['id', 'waitMs'])
    const id = requiredWhole(fields, 'id')
    const { membership } = this.#options
    membership.assertAllSpeak()
    const isVoter = (): boolean =>
      isVoterOf(membership.configuration, id) && !isJoint(membership.configuration)
    if (!membersOf(membership.configuration).includes(id)) throw notAMember(id)
    if (!isVoter()) await this.#change(id, { promotes: true })
    return { id, isVoter: await membership.until(isVoter, optionalWhole(fields, 'waitMs') ?? waitMsDefault) }
  }

  async #remove(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['id', 'force', 'waitMs'])
    const id = requiredWhole(fields, 'id')
    const { membership, self, host } = this.#options
    membership.assertAllSpeak()
    const { configuration } = membership
    const state = membership.entry(id)?.value.state
    if (state === 'removed') return { id, isRemoved: true }
    if (!membersOf(configuration).includes(id)) {
      if (state === undefined) throw notAMember(id)
      await this.#change(id, { state: 'leaving' })
    } else {
      const voters = configuration.voters.filter((voter) => voter !== id)
      if (voters.length === 0) throw refused(`node ${id} is the last voter: a cluster of none cannot be`)
      if (optionalFlag(fields, 'force') !== true && voters.length < configuration.voters.length)
        this.#assertSafe(configuration.voters, voters)
      await this.#change(id, { state: 'leaving', replacedBy: undefined })
    }
    const waitMs = optionalWhole(fields, 'waitMs') ?? waitMsDefault
    const isGone = (): boolean => membership.entry(id)?.value.state === 'removed'
    if (id !== self) return { id, isRemoved: await membership.until(isGone, waitMs) }
    // It hands over first: then the one that took over sees it through, and knows when it is done.
    await membership.until(() => isGone() || !host.group.isLeaderReady, waitMs)
    await membership.until(() => isGone() || host.group.leader !== 0, waitMs)
    return isGone() ? { id, isRemoved: true } : this.#options.forward('member.remove', argument)
  }

  async #updateAddress(argument: Plain): Promise<Plain> {
    const fields = fieldsOf(argument, ['id', 'address', 'waitMs'])
    const id = requiredWhole(fields, 'id')
    const address = optionalAddress(fields, 'address') ?? missing('address')
    const { membership, book } = this.#options
    membership.assertAllSpeak()
    if (!membersOf(membership.configuration).includes(id)) throw notAMember(id)
    this.#assertFree(address, id)
    await this.#change(id, { address })
    const isDone = (): boolean => book.addresses[id] === address
    return { id, isDone: await membership.until(isDone, optionalWhole(fields, 'waitMs') ?? waitMsDefault) }
  }

  /** The record of a member with these parts replaced; a founding member may have had none. */
  #changed(id: NodeId, parts: RecordParts): SystemChange {
    const entry = this.#options.membership.entry(id)
    const value = { id, state: 'joined', ...entry?.value, ...parts }
    return { key: memberKeys.record(id), value, modRevision: entry?.modRevision ?? 0 }
  }

  /** Again, on what is there then, when the record was changed meanwhile: the leader notes in it what it sees of the member, for one. */
  async #change(id: NodeId, parts: RecordParts): Promise<void> {
    const { system, membership } = this.#options
    for (let attempt = 0; attempt < writeAttempts; attempt++) {
      if (!(await system.change([this.#changed(id, parts)]))) continue
      membership.tick()
      return
    }
    throw contended()
  }

  #assertFree(address: string, except: NodeId): void {
    const { book, membership } = this.#options
    const others = [
      ...book.members,
      ...[...membership.records.values()].filter(({ state }) => state === 'invited' || state === 'joined'),
    ]
    const holder = others.find((other) => other.address === address && other.id !== except)
    if (holder !== undefined) throw conflict(`${address} is the address of node ${holder.id}`)
  }

  #assertSafe(voters: readonly NodeId[], target: readonly NodeId[]): void {
    const risk = riskOf({ voters, target, answering: this.#options.membership.answering })
    if (risk !== undefined) throw refused(`${risk}. To do it all the same: --force`)
  }
}

function roleOf(
  configuration: {
    readonly voters: readonly NodeId[]
    readonly outgoingVoters?: readonly NodeId[]
    readonly learners?: readonly NodeId[]
  },
  id: NodeId,
): string {
  if (isVoterOf(configuration, id)) return 'voter'
  return configuration.learners?.includes(id) === true ? 'learner' : 'none'
}

function notAMember(id: NodeId): AlthingError {
  return new AlthingError('not-found', `there is no member ${id}`, { outcome: 'none' })
}

function refused(problem: string): AlthingError {
  return new AlthingError('conflict', problem, { outcome: 'none' })
}

function conflict(problem: string): AlthingError {
  return new AlthingError('conflict', problem, { outcome: 'none' })
}

function contended(): AlthingError {
  return new AlthingError('conflict', 'someone else has just changed the members: try again', {
    outcome: 'none',
    retryable: true,
  })
}

function missing(field: string): never {
  throw invalidArgument(field, undefined, 'an address of the form host:port')
}
