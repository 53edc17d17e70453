import { invalidArgument } from '../../../contracts/errors.ts'
import type { Store } from '../../../contracts/store.ts'
import type { World } from '../../../contracts/world.ts'
import { StoreModel } from '../../../models/store/store-model.ts'
import type { DrawnCommand } from './command.ts'
import { drawCommands } from './draw-commands.ts'
import { type Difference, play } from './play.ts'
import { shrinkCommands } from './shrink-commands.ts'

export interface DifferentialOptions {
  /** Clients of one server, to whom the commands are given in turn, one after the other. Nobody else may write to it meanwhile. */
  readonly stores: readonly Store[]
  readonly world: Pick<World, 'clock' | 'timers' | 'random'>
  /** Decides the commands. */
  readonly seed: number | string
  readonly commands: number
  /** A new model each time. Default: the store model of the built-in engines. */
  readonly model?: () => StoreModel
  /** Leases that are left to run out, each of which takes its time. Default 1. */
  readonly lapses?: number
  /** Runs made to shorten the list of a failing one. Default 200. */
  readonly shrinkRunsMax?: number
}

export interface DifferentialResult {
  readonly seed: number | string
  readonly commands: number
  readonly difference?: Difference & {
    /** Fails too, and is as short as could be found. */
    readonly shortest: readonly DrawnCommand[]
    /** Seed, commands and both answers, for people. */
    readonly text: string
  }
}

/**
 * The differential test: random transactions, reads of all kinds, compactions, leases and watches, given to an engine and to the pure store model; every reply, every event and the state at the
 * end must be the same. Revisions and leases are compared by what they stand for, so the engine may have a past. Past a difference the list of commands is
 * shortened as far as it still shows one.
 */
export async function differentialRun(options: DifferentialOptions): Promise<DifferentialResult> {
  const { stores, world, seed, lapses = 1, shrinkRunsMax = 200 } = options
  if (stores.length === 0) throw invalidArgument('stores', stores.length, 'one store or more')
  const newModel = options.model ?? (() => new StoreModel())
  const commands = drawCommands({ seed, commands: options.commands, lapses })
  const attempt = (list: readonly DrawnCommand[]): Promise<Difference | undefined> =>
    play(list, { stores, world, model: newModel() })
  const first = await attempt(commands)
  const summary = { seed, commands: options.commands }
  if (first === undefined) return summary
  let difference = first
  const shortest = await shrinkCommands(
    commands.slice(0, first.at + 1),
    async (shorter) => {
      const found = await attempt(shorter)
      if (found !== undefined) difference = found
      return found !== undefined
    },
    shrinkRunsMax,
  )
  return {
    ...summary,
    difference: { ...difference, shortest, text: textOf(seed, options.commands, difference, shortest) },
  }
}

function textOf(
  seed: number | string,
  commands: number,
  { at, command, expected, actual }: Difference,
  shortest: readonly DrawnCommand[],
): string {
  const lines = shortest.map((each, i) => `  ${i}: ${JSON.stringify(each)}`)
  return [
    `seed ${seed}, ${commands} commands: the engine differs from the model at ${command === undefined ? 'the end' : `command ${at}`} of`,
    ...lines,
    `model:  ${expected}`,
    `engine: ${actual}`,
  ].join('\n')
}
