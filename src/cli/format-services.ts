import { formatDurationMs } from '../base/duration.ts'
import type { ServiceInstance } from '../coordination/discovery/discovery-types.ts'
import { formatTable } from './format-table.ts'

/** One line an instance. */
export function formatServices(instances: readonly ServiceInstance[], nowMs: number): string {
  if (instances.length === 0) return 'no service has an instance\n'
  const head = ['SERVICE', 'INSTANCE', 'ADDRESS', 'HEALTH', 'ZONE', 'VERSION', 'WEIGHT', 'SINCE', 'CHECK']
  return formatTable([head, ...instances.map((instance) => rowOf(instance, nowMs))])
}

function rowOf(instance: ServiceInstance, nowMs: number): string[] {
  const { service, id, address, zone, version, weight, registeredAtMs } = instance
  const since = formatDurationMs(Math.max(0, nowMs - registeredAtMs))
  return [service, id, address, healthOf(instance), zone, version, String(weight), since, checkOf(instance)]
}

function healthOf({ health, state }: ServiceInstance): string {
  const marks = [state === 'draining' ? 'draining' : '', health.flapping ? 'flapping' : '']
  return [health.state, ...marks.filter((mark) => mark !== '')].join(', ')
}

function checkOf({ check, health }: ServiceInstance): string {
  const [last] = health.results
  const result =
    last === undefined
      ? ''
      : `${last.ok ? 'ok' : 'failed'}${last.note === undefined ? '' : `: ${last.note.replaceAll(/\p{Cc}/gu, ' ')}`}`
  if (check === undefined) return result
  return `${check.kind} ${check.target}${check.by === 'cluster' ? ' by the cluster' : ''}${result === '' ? '' : ` (${result})`}`
}
