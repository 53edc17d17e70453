import type { LiveSet, LiveSetState, ServiceInstance } from '../coordination/discovery/discovery-types.ts'

/** An instance as discovery would tell of it. */
export function instanceOf(id: string, changes: Partial<ServiceInstance> = {}): ServiceInstance {
  return {
    service: 'agora',
    id,
    address: `${id}:80`,
    zone: '',
    version: '',
    weight: 100,
    metadata: {},
    state: 'up',
    health: { state: 'healthy', flapping: false, results: [] },
    registrar: 'process',
    registeredAtMs: 0,
    registrationRevision: 1,
    revision: 1,
    ...changes,
  }
}

/** A live set that is told what it knows. */
export class GivenLiveSet implements LiveSet {
  readonly service = 'agora'
  readonly ready = Promise.resolve()
  current: LiveSetState = { instances: [], stale: true, revision: 0 }
  isClosed = false
  #listeners = new Set<(state: LiveSetState) => void>()

  set(instances: readonly ServiceInstance[]): void {
    this.current = { instances, stale: false, revision: this.current.revision + 1 }
    for (const listener of this.#listeners) listener(this.current)
  }

  get changes(): AsyncIterable<LiveSetState> {
    throw new Error('not followed this way')
  }

  subscribe(listener: (state: LiveSetState) => void): () => void {
    this.#listeners.add(listener)
    listener(this.current)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.isClosed = true
  }
}
