import { invalidArgument } from '../../contracts/errors.ts'
import { durationMs, wholeNumber } from '../names.ts'
import type { ActiveCheck, CheckSchedule, CheckSpec, CheckTiming, HealthCheck } from './check-types.ts'

export const checkDefaults: CheckTiming = {
  intervalMs: 5_000,
  timeoutMs: 2_000,
  unhealthyAfter: 3,
  healthyAfter: 2,
  flapChangesMax: 4,
  flapWindowMs: 60_000,
}

const targetCharsMax = 1_024
const argumentsMax = 32
/** A check more often than this burdens who is checked. */
const intervalMsMin = 10

/** Checked, and with its defaults. Throws `invalid-argument`. */
export function checkTiming(schedule: CheckSchedule): CheckTiming {
  const { interval, timeout, flap } = schedule
  const timing = {
    intervalMs: durationMs('check.interval', interval ?? checkDefaults.intervalMs),
    timeoutMs: durationMs('check.timeout', timeout ?? checkDefaults.timeoutMs),
    unhealthyAfter: count('unhealthyAfter', schedule.unhealthyAfter ?? checkDefaults.unhealthyAfter),
    healthyAfter: count('healthyAfter', schedule.healthyAfter ?? checkDefaults.healthyAfter),
    flapChangesMax: count('flap.changesMax', flap?.changesMax ?? checkDefaults.flapChangesMax),
    flapWindowMs: durationMs('check.flap.window', flap?.window ?? checkDefaults.flapWindowMs),
  }
  if (timing.intervalMs < intervalMsMin) {
    throw invalidArgument('check.interval', interval, `${intervalMsMin} ms or more`)
  }
  if (timing.timeoutMs <= 0) throw invalidArgument('check.timeout', timeout, 'more than 0')
  return timing
}

/** An active check as it goes into the registry; `undefined` for a function. Throws `invalid-argument`. */
export function checkSpec(check: HealthCheck): CheckSpec | undefined {
  const kinds = ['run', 'http', 'tcp', 'script'].filter((kind) => Object.hasOwn(check, kind))
  if (kinds.length !== 1) {
    throw invalidArgument('check', kinds.join(' and ') || check, "one of 'run', 'http', 'tcp' and 'script'")
  }
  if ('run' in check) {
    if (typeof check.run !== 'function') throw invalidArgument('check.run', check.run, 'a function')
    return undefined
  }
  const { by = 'self', removeAfter } = check
  if (by !== 'self' && by !== 'cluster') throw invalidArgument('check.by', by, "'self' or 'cluster'")
  if (removeAfter !== undefined && by === 'self') {
    throw invalidArgument('check.removeAfter', removeAfter, "absent, unless the check is by: 'cluster'")
  }
  return {
    ...checkTiming(check),
    ...targetOf(check),
    by,
    ...(removeAfter === undefined ? {} : { removeAfterMs: durationMs('check.removeAfter', removeAfter) }),
  }
}

function targetOf(check: ActiveCheck): Pick<CheckSpec, 'kind' | 'target' | 'args' | 'expectStatus'> {
  if ('http' in check) {
    return { kind: 'http', target: httpTarget(check.http), expectStatus: statusRange(check.expectStatus) }
  }
  if ('tcp' in check) {
    const isAddress = typeof check.tcp === 'string' && /^(\[[^\]\s]+\]|[^:\s[\]]+):\d{1,5}$/.test(check.tcp)
    if (!isAddress || check.tcp.length > targetCharsMax) {
      throw invalidArgument('check.tcp', check.tcp, "of the form 'host:port'")
    }
    return { kind: 'tcp', target: check.tcp }
  }
  const { script } = check
  const isArgv =
    Array.isArray(script) && script.every((part) => typeof part === 'string' && !part.includes('\0'))
  const [program = '', ...args] = isArgv ? script : []
  if (program === '' || args.length > argumentsMax || script.join(' ').length > targetCharsMax) {
    const allowed = `a program and at most ${argumentsMax} arguments, ${targetCharsMax} characters in all`
    throw invalidArgument('check.script', script, allowed)
  }
  return { kind: 'script', target: program, args }
}

function httpTarget(text: string): string {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  const isHttp = url !== undefined && ['http:', 'https:'].includes(url.protocol)
  // Whoever may read the registry would read them.
  const hasCredentials = url !== undefined && (url.username !== '' || url.password !== '')
  if (isHttp && !hasCredentials && text.length <= targetCharsMax) return text
  const given = hasCredentials ? 'a URL with user or password' : text
  throw invalidArgument(
    'check.http',
    given,
    `an http: or https: URL without user and password, at most ${targetCharsMax} characters`,
  )
}

function statusRange(given: number | readonly [number, number] = [200, 299]): readonly [number, number] {
  const [first, last] = typeof given === 'number' ? [given, given] : given
  const isStatus = (status: number): boolean => Number.isInteger(status) && status >= 100 && status <= 599
  if (isStatus(first) && isStatus(last) && first <= last) return [first, last]
  throw invalidArgument(
    'check.expectStatus',
    given,
    'a status from 100 to 599, or the first and the last of a row',
  )
}

function count(field: string, value: number): number {
  return wholeNumber(`check.${field}`, value, 1, 100)
}
