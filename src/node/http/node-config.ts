import { ConfigService } from '../../coordination/config/config.ts'
import { NodeAesGcm } from '../../world/aes-gcm.ts'
import { masterKeysOf } from '../config-keys.ts'
import { currentCaller } from './caller-context.ts'
import type { HttpContext } from './http-context.ts'

/** The config centre as the callers of a node's API use it: with the master keys of the node's environment, which seal but are never used to show a secret. */
export class NodeConfig {
  readonly #http: HttpContext
  #service: ConfigService | undefined

  constructor(http: HttpContext) {
    this.#http = http
  }

  /** Throws `invalid-argument` or `not-found` while the keys of the environment are not of their form, or not there. */
  get service(): ConfigService {
    const { store, world } = this.#http
    this.#service ??= new ConfigService({
      store,
      world,
      secrets: { cipher: new NodeAesGcm(), keys: masterKeysOf(undefined) },
    })
    return this.#service
  }

  /** Who stands in the history. Nobody can write in another's name: who has signed in is named too. `undefined`: nobody has, and nothing was given. */
  authorOf(given: string | undefined): string | undefined {
    const { control } = this.#http.access
    const { name } = control.principal(currentCaller().principal)
    if (name === '') return given
    return given === undefined || given === name ? name : `${given} (${name})`
  }
}
