import { asAlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { LeaseKeeper } from '../../coordination/leases/lease-keeper.ts'
import { attempt, sleep, think } from '../store-simulation/client-process.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import type { RecipeConfiguration } from './recipe-configuration.ts'
import type { RecipeObservations } from './recipe-observations.ts'

/** What a user's program gets. */
export interface User {
  readonly world: World
  readonly store: Store
  /** Its own, or one that it shares with the others of its process. */
  readonly keeper: LeaseKeeper
  /** Of this life of the process: never the same twice. */
  readonly name: string
  readonly process: string
  readonly random: SeededRandom
  readonly configuration: RecipeConfiguration
  readonly observations: RecipeObservations
  /** True time. */
  nowMs(): number
  /** Users are asked to come to an end. */
  isStopping(): boolean
  /** Observers are: after the users, when nothing changes any more. */
  isClosing(): boolean
}

/** Ends when it is asked to. */
export type UserProgram = (user: User) => Promise<void>

/** Runs `call`; `undefined` when it failed in a way that a user must be ready for, or with one of `codes`. */
export function tried<T>(
  user: User,
  call: () => Promise<T>,
  codes: readonly string[] = [],
): Promise<T | undefined> {
  return attempt(user, call, codes)
}

/** As {@link tried}, for calls without an answer. */
export async function succeeded(
  user: User,
  call: () => Promise<unknown>,
  codes: readonly string[] = [],
): Promise<boolean> {
  return (
    (await tried(
      user,
      async () => {
        await call()
        return true
      },
      codes,
    )) === true
  )
}

/** Does it again until it is done: for what comes after the end of all faults. */
export async function insisted<T>(user: User, call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!asAlthingError(error).retryable) await sleep(user.world, 50)
      await sleep(user.world, 50)
    }
  }
}

export function rest(user: User): Promise<void> {
  return think(user, user.configuration.thinkMsMean)
}

/** Uses a right for a while, in steps, as long as `isHeld` says so. */
export async function useWhile(
  user: User,
  isHeld: () => boolean,
  step: () => Promise<unknown>,
): Promise<void> {
  const { random, configuration, world } = user
  const endMs = user.nowMs() + Math.min(2, random.exponential(1)) * configuration.holdMsMean
  while (user.nowMs() < endMs && isHeld() && !user.isStopping()) {
    await step()
    await sleep(world, random.exponential(configuration.holdMsMean / 4))
  }
}

/** Waits until observers may end. */
export async function untilClosing(user: User): Promise<void> {
  while (!user.isClosing()) await sleep(user.world, 100)
}

export { sleep }
