import type { Logger } from '../../contracts/world.ts'
import type { StoreSpace } from './store-admission.ts'

/** Says in the log when a store comes near its quota, reaches it, and has room again. */
export class SpaceWarning {
  readonly #logger: Logger
  #said: StoreSpace['state'] = 'ok'

  constructor(logger: Logger) {
    this.#logger = logger
  }

  look(space: StoreSpace): void {
    const { state, bytes, quotaBytes, reason } = space
    if (state === this.#said) return
    // At the edge the size goes to and fro with each command: all is well again only some way below it.
    if (state === 'ok' && bytes > calmShare * quotaBytes) return
    this.#said = state
    const fields = { bytes, quotaBytes, ...(reason === undefined ? {} : { reason }) }
    if (state === 'full')
      this.#logger.log('error', 'the store is full: only what makes room is accepted', fields)
    else if (state === 'nearly-full') this.#logger.log('warn', 'the store is nearly full', fields)
    else this.#logger.log('info', 'the store has room again', fields)
  }
}

const calmShare = 0.75
