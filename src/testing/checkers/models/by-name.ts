import type { AnySequentialModel } from '../sequential-model.ts'
import { counterModel } from './counter.ts'
import { kvModel } from './kv.ts'
import { lockModel } from './lock.ts'
import { queueModel } from './queue.ts'
import { casRegisterModel, registerModel } from './register.ts'
import { setModel } from './set.ts'
import { versionedKvModel } from './versioned-kv.ts'

const models: readonly AnySequentialModel[] = [
  registerModel(),
  casRegisterModel(),
  kvModel(),
  versionedKvModel(),
  lockModel(),
  counterModel(),
  setModel(),
  queueModel(),
]

/** Names of the models that come with Althing. */
export const modelNames: readonly string[] = models.map(({ name }) => name)

/** The model of that name; `undefined` when there is none. */
export function modelByName(name: string): AnySequentialModel | undefined {
  return models.find((model) => model.name === name)
}
