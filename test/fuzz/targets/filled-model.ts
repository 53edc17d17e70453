import { StoreModel } from '../../../src/models/store/store-model.ts'
import { sampleCommands } from './samples.ts'

/** A store with some of everything in it. */
export function filledModel(): StoreModel {
  const model = new StoreModel()
  for (let round = 0; round < 3; round++) {
    for (const command of sampleCommands) {
      const isOpen = command.type === 'openSession' || command.type === 'expireLeases'
      const unstamped = isOpen ? command : { ...command, session: round === 0 ? 0 : 1, sequence: round }
      if (command.type !== 'closeSession') model.apply(unstamped)
    }
    for (let i = 0; i < 5; i++) model.apply(putOf(`key${round}/${i}`, i))
  }
  return model
}

function putOf(key: string, i: number): Parameters<StoreModel['apply']>[0] {
  const then = [{ op: 'put', key, value: Buffer.alloc(10 + i, i) } as const]
  return { session: 0, sequence: 0, acknowledged: 0, type: 'txn', compare: [], then, else: [] }
}
