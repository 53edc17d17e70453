import type { Duration } from '../../base/duration.ts'
import { invalidArgument } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { Bully } from '../../protocols/election/bully.ts'
import { RaftElection } from '../../protocols/election/raft-election.ts'
import { RingElection } from '../../protocols/election/ring.ts'
import { Standing } from '../../protocols/election/standing.ts'
import {
  type ElectionMachine,
  electionMachineDefaults,
  heartbeatsMissedMax,
} from '../../protocols/election/types.ts'
import { durationMs, keySegment } from '../names.ts'
import { type ElectionMember, ElectionTransport } from './election-transport.ts'
import { type Elector, electorAlgorithms } from './elector-types.ts'
import { LockElector, type LockElectorOptions } from './lock-elector.ts'
import { MachineElector } from './machine-elector.ts'
import { SavedState } from './saved-state.ts'

export interface MemberElectorOptions {
  readonly algorithm: 'bully' | 'ring' | 'raft'
  readonly world: World
  /** Nodes of another election that call the same address are turned away. */
  readonly election: string
  /** The number of this node, one of the members. */
  readonly id: number
  /** All that may ever take part, the same on all: 1..100. The ring goes in this order. */
  readonly members: readonly ElectionMember[]
  /** The leader shows itself this often (default 500 ms). The same on all. */
  readonly heartbeat?: Duration
  /** Bully and ring: the longest that a message may take, handling included (default 200 ms). Set it far over what is usual: what comes later can make two leaders. */
  readonly delayMax?: Duration
  /**
   * A folder of the world's disk. Raft needs one. In bully and ring it keeps a node from leading in a term of its own again after a restart.
   */
  readonly folder?: string
}

export type ElectorOptions = MemberElectorOptions | ({ readonly algorithm: 'lock' } & LockElectorOptions)

/**
 * An election by the algorithm of that name. `bully`, `ring` and `raft` run among the members themselves, on the world's network; `lock` in a store. A node takes part as soon as
 * it is open, and leads only while it stands (`campaign`). Rejects with `invalid-argument`, `unavailable` (the own address is taken), `conflict` (another process has the folder), `corrupt`.
 */
export async function openElector(options: ElectorOptions): Promise<Elector> {
  if (!electorAlgorithms.includes(options.algorithm))
    throw invalidArgument('algorithm', options.algorithm, `one of: ${electorAlgorithms.join(', ')}`)
  if (options.algorithm === 'lock') return new LockElector(options)
  const { world, id, members, folder } = options
  keySegment('election', options.election)
  if (members.length < 1 || members.length > 100)
    throw invalidArgument('members', members.length, '1 to 100 members')
  if (!members.some((member) => member.id === id))
    throw invalidArgument('id', id, 'the id of one of the members')
  if (options.algorithm === 'raft' && folder === undefined)
    throw invalidArgument('folder', folder, 'a folder, for raft must not forget its vote')
  const savedState = folder === undefined ? undefined : new SavedState(world, folder)
  const state = await savedState?.open()
  try {
    return await openMachine(options, savedState, state)
  } catch (error) {
    await savedState?.close()
    throw error
  }
}

async function openMachine(
  options: MemberElectorOptions,
  savedState: SavedState | undefined,
  state: Uint8Array | undefined,
): Promise<Elector> {
  const { world, algorithm, election, id, members } = options
  const heartbeatMs = durationMs('heartbeat', options.heartbeat ?? electionMachineDefaults.heartbeatMs)
  // The machines differ in their messages only, which each sends to its like.
  const machine = createMachine(options, heartbeatMs, state) as ElectionMachine<{ from: number; to: number }>
  const silenceMsMax = heartbeatsMissedMax * heartbeatMs
  const elector = new MachineElector({ world, algorithm, id, heartbeatMs, silenceMsMax, machine, savedState })
  const transport = new ElectionTransport<{ from: number; to: number }>(
    world,
    { election: `${algorithm} ${election}`, self: id, members },
    (message) => elector.step({ type: 'receive', message }),
  )
  try {
    await elector.start(transport)
    return elector
  } catch (error) {
    await elector.close()
    throw error
  }
}

function createMachine(
  { algorithm, id, members, world, delayMax }: MemberElectorOptions,
  heartbeatMs: number,
  state: Uint8Array | undefined,
): unknown {
  const ids = members.map((member) => member.id)
  const nowMs = world.clock.monotonicMs()
  if (algorithm === 'raft') {
    const electionTimeoutMs = (heartbeatsMissedMax + 1) * heartbeatMs
    const saved = state === undefined ? {} : { state }
    return new RaftElection(
      { id, members: ids, heartbeatMs, electionTimeoutMs, eligible: false, ...saved },
      world.random,
      nowMs,
    )
  }
  const delayMsMax = durationMs('delayMax', delayMax ?? electionMachineDefaults.delayMsMax)
  const term = state === undefined ? 0 : Standing.termIn(state)
  const machineOptions = { id, members: ids, heartbeatMs, delayMsMax, term, eligible: false }
  return algorithm === 'bully' ? new Bully(machineOptions, nowMs) : new RingElection(machineOptions, nowMs)
}
