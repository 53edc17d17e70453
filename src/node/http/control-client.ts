import { request } from 'undici'
import { AlthingError, type ErrorJson, errorFromJson } from '../../contracts/errors.ts'
import type { ProcessStatus } from '../supervisor.ts'

export const processActions = ['kill', 'pause', 'resume', 'start'] as const
export type ProcessAction = (typeof processActions)[number]

const replyTimeoutMs = 2_000

/** Talks to the supervisor of the local cluster that this node is part of. */
export class ControlClient {
  readonly #address: string

  /** `host:port` of the supervisor's control server. */
  constructor(address: string) {
    this.#address = address
  }

  async processes(): Promise<readonly ProcessStatus[]> {
    return (await this.#call('GET', '/processes')) as readonly ProcessStatus[]
  }

  /** Rejects with `not-found` (no such process) or `conflict` (its state does not allow it). */
  async act(name: string, action: ProcessAction): Promise<ProcessStatus> {
    return (await this.#call('POST', `/processes/${encodeURIComponent(name)}/${action}`)) as ProcessStatus
  }

  async #call(method: 'GET' | 'POST', path: string): Promise<unknown> {
    const isAction = method === 'POST'
    let status: number
    let answer: unknown
    try {
      const reply = await request(`http://${this.#address}${path}`, {
        method,
        headersTimeout: replyTimeoutMs,
        bodyTimeout: replyTimeoutMs,
      })
      status = reply.statusCode
      answer = await reply.body.json()
    } catch (cause) {
      throw new AlthingError('unavailable', `the supervisor at ${this.#address} does not answer`, {
        cause,
        ...(isAction ? { outcome: 'unknown' } : {}),
      })
    }
    if (status === 200) return answer
    const { error } = answer as { readonly error: ErrorJson }
    throw errorFromJson({ ...error, ...(isAction ? { outcome: 'none' } : {}) })
  }
}
