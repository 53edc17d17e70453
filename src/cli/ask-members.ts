import { AlthingError, asAlthingError } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import type { NodeClient } from '../engines/cluster/node-client.ts'
import { openNode } from './open-node.ts'
import type { MemberAnswer } from '../node/diagnosis/member-answer.ts'
import { isRefusal } from './refusal.ts'
import { addressesOf } from './target.ts'

const answerTimeoutMs = 1_500

/** Asks every member how it is: those of the URL, and those that they name. Rejects with `unavailable` when none answers, or with what they refuse the caller for. */
export async function askMembers(world: World, url: string): Promise<readonly MemberAnswer[]> {
  const failures: AlthingError[] = []
  const first = await askAll(world, addressesOf(url), failures)
  const known = first.find(({ status }) => status !== undefined)?.status
  if (known === undefined) {
    const reasons = failures.map(({ message }) => message).join('; ')
    throw failures.find(isRefusal) ?? new AlthingError('unavailable', `no node answers: ${reasons}`)
  }
  const missing = known.members.filter(({ address }) => !first.some((each) => each.address === address))
  const all = [
    ...first,
    ...(await askAll(
      world,
      missing.map(({ address }) => address),
      failures,
    )),
  ]
  return known.members.map(({ id, address }) => {
    const answer = all.find((each) => each.status?.id === id)
    return answer === undefined ? { id, address } : { ...answer, id }
  })
}

function askAll(
  world: World,
  addresses: readonly string[],
  failures: AlthingError[],
): Promise<MemberAnswer[]> {
  return Promise.all(addresses.map((address) => ask(world, address, failures)))
}

async function ask(world: World, address: string, failures: AlthingError[]): Promise<MemberAnswer> {
  let client: NodeClient | undefined
  try {
    client = await openNode(world, address, { timeoutMs: answerTimeoutMs })
    // Once for the connection to be warm, once to measure.
    await client.status()
    const sentWallMs = world.clock.wallMs()
    const sentMs = world.clock.monotonicMs()
    const status = await client.status()
    const roundTripMs = world.clock.monotonicMs() - sentMs
    const clockAheadMs = status.wallMs - (sentWallMs + roundTripMs / 2)
    return { id: status.id, address, status, clockAheadMs, roundTripMs }
  } catch (error) {
    failures.push(asAlthingError(error))
    return { id: 0, address }
  } finally {
    client?.close()
  }
}
