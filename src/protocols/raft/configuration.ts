import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Configuration, NodeId } from './types.ts'

/** The data of an entry of kind `configuration`: JSON, in UTF-8. Fields that a later version adds are passed over. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  return bytesFromText(JSON.stringify(trimmed(configuration)))
}

/** Throws `corrupt` when the bytes are not a configuration. */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  let value: unknown
  try {
    value = JSON.parse(textFromBytes(bytes))
  } catch (cause) {
    throw new AlthingError('corrupt', 'a configuration is not JSON', { cause })
  }
  const problem = configurationProblem(value)
  if (problem !== undefined) throw new AlthingError('corrupt', `a configuration is damaged: ${problem}`)
  return trimmed(value as Configuration)
}

/** What is wrong with `value` as a configuration; `undefined` when nothing is. */
export function configurationProblem(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'it is not an object'
  const { voters, outgoingVoters = [], learners = [], addresses = {} } = value as Configuration
  const problem =
    membersProblem('voters', voters) ??
    membersProblem('outgoingVoters', outgoingVoters) ??
    membersProblem('learners', learners)
  if (problem !== undefined) return problem
  const both = learners.find((learner) => voters.includes(learner))
  if (both !== undefined) return `member ${both} is a voter and a learner`
  if (outgoingVoters.length > 0 && voters.length === 0) return 'it is joint without voters'
  return addressesProblem(addresses)
}

/** A change goes to a configuration that can decide by itself; the way there is the machine's business. */
export function targetProblem(target: Configuration): string | undefined {
  const problem = configurationProblem(target)
  if (problem !== undefined) return problem
  if (target.voters.length === 0) return 'a group needs a voter'
  return isJoint(target) ? 'the target of a change is not joint' : undefined
}

export function isJoint(configuration: Configuration): boolean {
  return (configuration.outgoingVoters?.length ?? 0) > 0
}

/** Everyone who receives the log: voters of both sets and learners, each once, in ascending order. */
export function membersOf({ voters, outgoingVoters = [], learners = [] }: Configuration): NodeId[] {
  return [...new Set([...voters, ...outgoingVoters, ...learners])].sort((a, b) => a - b)
}

/** Everyone who votes, in either set, each once. */
export function votersOf({ voters, outgoingVoters = [] }: Configuration): NodeId[] {
  return [...new Set([...voters, ...outgoingVoters])]
}

export function isVoterOf(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.outgoingVoters?.includes(id) === true
}

export function sameVoters(a: Configuration, b: Configuration): boolean {
  return votersChanged(a, b) === 0 && isJoint(a) === isJoint(b)
}

/**
 * The first step from `current`, which is not joint, to `target`. Where at most one voter comes or goes any two majorities meet, so it is `target` itself (thesis
 * section 4.1); otherwise it is the joint configuration (section 4.3). A voter that becomes a learner votes in the outgoing set until the end.
 */
export function stepTowards(current: Configuration, target: Configuration): Configuration {
  if (votersChanged(current, target) <= 1) return trimmed(target)
  return trimmed({
    ...target,
    outgoingVoters: current.voters,
    ...(target.addresses !== undefined && { addresses: { ...current.addresses, ...target.addresses } }),
  })
}

/** What follows a joint configuration. */
export function leaveJoint(joint: Configuration): Configuration {
  const { voters, learners = [], addresses } = joint
  const final: Configuration = { voters, learners }
  if (addresses === undefined) return trimmed(final)
  const members = membersOf(final)
  const kept = Object.entries(addresses).filter(([id]) => members.includes(Number(id)))
  return trimmed({ ...final, addresses: Object.fromEntries(kept) })
}

/** How many are voters of one and not of the other. */
function votersChanged(a: Configuration, b: Configuration): number {
  const left = a.voters.filter((voter) => !b.voters.includes(voter))
  const come = b.voters.filter((voter) => !a.voters.includes(voter))
  return left.length + come.length
}

/** Without empty parts, and without what a configuration does not have. */
function trimmed({ voters, outgoingVoters, learners, addresses }: Configuration): Configuration {
  return {
    voters,
    ...(outgoingVoters !== undefined && outgoingVoters.length > 0 && { outgoingVoters }),
    ...(learners !== undefined && learners.length > 0 && { learners }),
    ...(addresses !== undefined && { addresses }),
  }
}

function membersProblem(name: string, ids: unknown): string | undefined {
  if (!Array.isArray(ids)) return `${name} is not a list`
  const wrong = ids.find((id) => !isNodeId(id))
  if (wrong !== undefined) return `${name} holds ${JSON.stringify(wrong)}, which is not an integer > 0`
  return new Set(ids).size === ids.length ? undefined : `${name} holds a member twice`
}

function addressesProblem(addresses: unknown): string | undefined {
  if (typeof addresses !== 'object' || addresses === null) return 'addresses is not an object'
  for (const [id, address] of Object.entries(addresses)) {
    if (!isNodeId(Number(id))) return `addresses names ${JSON.stringify(id)}, which is not an integer > 0`
    if (typeof address !== 'string' || address === '') return `the address of member ${id} is not a text`
  }
  return undefined
}

function isNodeId(value: unknown): value is NodeId {
  return Number.isSafeInteger(value) && (value as number) > 0
}
