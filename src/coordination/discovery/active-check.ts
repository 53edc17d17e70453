import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import type { CheckSpec } from './check-types.ts'

/** One run of an active check. Resolves with what was seen when that is healthy; rejects with what was wrong. */
export async function runActiveCheck(
  { probes }: Pick<World, 'probes'>,
  spec: CheckSpec,
  signal: AbortSignal,
): Promise<string> {
  const { kind, target, timeoutMs } = spec
  const options = { timeoutMs, signal }
  switch (kind) {
    case 'http': {
      const { status } = await probes.http({ url: target }, options)
      const [first, last] = spec.expectStatus ?? [200, 299]
      // Of the body nothing is told: who may read the registry must not read through it what only the checking node can reach.
      if (status >= first && status <= last) return `status ${status}`
      throw new AlthingError('unavailable', `status ${status}`)
    }
    case 'tcp':
      await probes.tcp(target, options)
      return 'connected'
    case 'script': {
      const { exitCode, output } = await probes.command([target, ...(spec.args ?? [])], options)
      const note = `exit ${exitCode ?? 'by a signal'}${output === '' ? '' : `: ${output.trim()}`}`
      if (exitCode === 0) return note
      throw new AlthingError('unavailable', note)
    }
  }
}
