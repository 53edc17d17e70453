import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import type { Endpoint } from './endpoint.ts'
import { methods } from './messages.ts'

export interface EtcdUser {
  readonly name: string
  readonly password: string
}

const answerMs = 2_000

/** The token that etcd gives for a name and a password. It forgets tokens after a while, and at a restart: then a new one is asked for. */
export class Authentication {
  readonly #world: World
  readonly #user: EtcdUser | undefined
  #token: Promise<string> | undefined

  constructor(world: World, user: EtcdUser | undefined) {
    this.#world = world
    this.#user = user
  }

  get isNeeded(): boolean {
    return this.#user !== undefined
  }

  /** Rejects with `unauthenticated`, or what kept the member from answering. */
  token(endpoint: Endpoint): Promise<string | undefined> {
    const user = this.#user
    if (user === undefined) return Promise.resolve(undefined)
    this.#token ??= this.#ask(endpoint, user)
    return this.#token
  }

  forget(): void {
    this.#token = undefined
  }

  #ask(endpoint: Endpoint, user: EtcdUser): Promise<string> {
    const asking = new Promise<string>((resolve, reject) => {
      const timer = this.#world.timers.after(answerMs, () => {
        cancel()
        reject(
          new AlthingError('timeout', `etcd at ${endpoint.address} does not answer`, { outcome: 'none' }),
        )
      })
      const cancel = endpoint.unary(methods.authenticate, user, { needsLeader: true }, (error, response) => {
        timer.cancel()
        if (error === undefined) resolve(response?.token ?? '')
        else reject(error)
      })
    })
    asking.catch(() => {
      if (this.#token === asking) this.#token = undefined
    })
    return asking
  }
}
