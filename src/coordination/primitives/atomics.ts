import type { Requirements } from '../guarantees.ts'
import { keySegment } from '../names.ts'
import { type AtomicOptions, AtomicValue } from './atomic-value.ts'
import { PrimitiveService, type PrimitiveServiceOptions } from './primitive-service.ts'

export const atomicRequirements: Requirements = {
  recipe: 'atomic value',
  needs: ['linearizable', 'fencing'],
}

/** Atomic values by name. */
export class Atomics extends PrimitiveService {
  constructor(options: PrimitiveServiceOptions) {
    super(atomicRequirements, options)
  }

  /** The value of this name, as this type. Nothing is read or written yet. */
  value<T = unknown>(name: string, options: AtomicOptions<T> = {}): AtomicValue<T> {
    const key = `/althing/atomics/${keySegment('name', name)}`
    return new AtomicValue<T>(
      {
        store: this.store,
        name,
        key,
        assertOpen: () => this.assertOpen(),
        follow: (read, signal) => this.follow(key, read, signal),
      },
      options,
    )
  }
}
