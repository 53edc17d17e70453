import { parseDurationMs, type Duration } from '../base/duration.ts'
import { invalidArgument } from '../contracts/errors.ts'
import { storeLimits } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'

const nameCharsMax = 256

/**
 * A name given by a user as one part of a key: percent-encoded, so that `/` in it cannot reach into another's keys. Throws
 * `invalid-argument` unless it has 1..256 characters and is well-formed Unicode without control characters.
 */
export function keySegment(field: string, name: string): string {
  const allowed = `1..${nameCharsMax} characters of well-formed text without control characters`
  if (typeof name !== 'string' || name.length === 0 || name.length > nameCharsMax) {
    throw invalidArgument(field, name, allowed)
  }
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name) || !isWellFormed(name)) throw invalidArgument(field, name, allowed)
  return encodeURIComponent(name)
}

export function nameOfSegment(segment: string): string {
  return decodeURIComponent(segment)
}

/** Milliseconds of a time to live, checked against the bounds of leases. */
export function leaseTtlMs(field: string, ttl: Duration): number {
  const ttlMs = parseDurationMs(ttl)
  const { leaseTtlMsMin, leaseTtlMsMax } = storeLimits
  if (ttlMs === undefined || ttlMs < leaseTtlMsMin || ttlMs > leaseTtlMsMax) {
    throw invalidArgument(
      field,
      ttl,
      `a duration between ${leaseTtlMsMin} ms and ${leaseTtlMsMax / 86_400_000} days`,
    )
  }
  return Math.round(ttlMs)
}

/** Milliseconds of a time to wait. */
export function durationMs(field: string, duration: Duration): number {
  const ms = parseDurationMs(duration)
  if (ms === undefined)
    throw invalidArgument(field, duration, "milliseconds >= 0, or a text such as '250ms' or '30s'")
  return ms
}

export function wholeNumber(field: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw invalidArgument(field, value, `a whole number from ${min} to ${max}`)
}

/** Text that goes into an entry for people to read. */
export function shortText(field: string, text: string | undefined, charsMax: number): string | undefined {
  if (text === undefined) return undefined
  if (typeof text !== 'string' || text.length > charsMax) {
    throw invalidArgument(field, text, `text of at most ${charsMax} characters`)
  }
  return text
}

/** 16 hexadecimal digits. */
export function randomId(world: Pick<World, 'random'>): string {
  return Buffer.from(world.random.bytes(8)).toString('hex')
}

function isWellFormed(text: string): boolean {
  return !/[\ud800-\udfff]/u.test(text)
}
