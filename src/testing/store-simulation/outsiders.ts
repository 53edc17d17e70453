import { bytesFromText } from '../../base/bytes.ts'
import { asAlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { openClusterStore } from '../../engines/cluster/cluster-store.ts'
import { NodeClient } from '../../engines/cluster/node-client.ts'
import type { Plain } from '../../engines/cluster/operator-calls.ts'
import type { Simulation } from '../world/simulation.ts'
import type { ClientContext, ClientProgram } from './client-process.ts'
import { sleep, think } from './client-process.ts'
import { keyRange } from './key-client.ts'

/** What clients show of themselves once access control is on. */
export interface Tokens {
  root?: string
  /** May read the keys of the key clients, and nothing else. */
  reader?: string
}

export type OutsiderCounts = { refusedStrangers: number; refusedReaders: number }

const callTimeoutMs = 5_000
const setUpLimitMs = 60_000

/** Turns access control on and makes a user who may only read; before any fault, since a root token whose answer is lost is lost for good. */
export async function enableAccess(
  simulation: Simulation,
  endpoints: readonly string[],
  tokens: Tokens,
): Promise<void> {
  simulation.process('security', async (world) => {
    const call = async (name: string, argument: Plain): Promise<Readonly<Record<string, string>>> => {
      for (;;) {
        const answer = await callOnce(world, endpoints, tokens, name, argument)
        if (answer !== undefined) return answer
        await sleep(world, 100)
      }
    }
    const { token: root = '' } = await call('access.enable', null)
    tokens.root = root
    // Connections between nodes that were made before are made anew.
    await sleep(world, 2_000)
    await call('access.role.add', { name: 'reader' })
    const grant = { ...keyRange, rights: ['read'] }
    await call('access.role.grant', { name: 'reader', grant })
    await call('access.user.add', { name: 'reader', roles: ['reader'] })
    tokens.reader = (await call('access.token.create', { user: 'reader' }))['token'] ?? ''
  })
  await simulation.runUntil(() => tokens.reader !== undefined, { limitMs: setUpLimitMs })
}

/** `undefined`: nobody led yet. */
async function callOnce(
  world: World,
  [endpoint = '']: readonly string[],
  { root }: Tokens,
  name: string,
  argument: Plain,
): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    const client = await NodeClient.open(world, endpoint, {
      timeoutMs: callTimeoutMs,
      ...(root === undefined ? {} : { credentials: { token: root } }),
    })
    try {
      return (await client.operate(name, argument)) as Readonly<Record<string, string>>
    } finally {
      client.close()
    }
  } catch (error) {
    const { code, outcome } = asAlthingError(error)
    if ((code === 'unavailable' || code === 'unauthenticated') && outcome !== 'unknown') return undefined
    throw error
  }
}

/** Tries what it may not, again and again: at every node, whoever leads and however far behind its copy is, it must be refused. */
export function createOutsider(tokens: Tokens, counts: OutsiderCounts): ClientProgram {
  return async (context) => {
    const { world, random, endpoints, configuration } = context
    while (!context.isStopping()) {
      const isReader = random.chance(0.5)
      const credentials = isReader && tokens.reader !== undefined ? { token: tokens.reader } : undefined
      const store = openClusterStore(world, {
        endpoints: random.shuffle(endpoints),
        timeoutMs: configuration.callTimeoutMs,
        ...(credentials === undefined ? {} : { credentials }),
      })
      const key = `${keyRange.key}1`
      const value = bytesFromText('an outsider was here')
      const tries =
        credentials === undefined
          ? [() => store.range({ key }), () => store.txn({ then: [{ op: 'put', key, value }] })]
          : [
              () => store.txn({ then: [{ op: 'put', key, value }] }),
              () => store.range({ key: 'm1' }),
              () => store.range({ key: '', end: null }),
            ]
      const isRefused = await mustFail(context, random.pick(tries), isReader)
      if (isRefused && isReader) counts.refusedReaders++
      else if (isRefused) counts.refusedStrangers++
      await store.close()
      await think(context, 500)
    }
  }
}

async function mustFail(
  { name, observations }: ClientContext,
  call: () => Promise<unknown>,
  isReader: boolean,
): Promise<boolean> {
  try {
    await call()
  } catch (error) {
    const { code } = asAlthingError(error)
    return code === (isReader ? 'permission-denied' : 'unauthenticated')
  }
  observations.violated('access-is-refused', `${name} was let in (${isReader ? 'reader' : 'stranger'})`)
  return false
}
