import { invalidArgument } from '../../contracts/errors.ts'
import { tagBytes, utf8Bytes } from './claim.ts'
import { membershipLimits, type SwimOptions } from './types.ts'

const { idBytesMax, addressBytesMax, tagBytesMax, tagsMax, degradedBytesMax, incarnationMax } =
  membershipLimits

/** What the longest claim and the longest head of a message take together. */
const messageBytesMin = 1_280

/** Throws `invalid-argument`. */
export function validateSwimOptions(options: SwimOptions): SwimOptions {
  checkMemberId(options.id)
  checkMemberAddress('address', options.address)
  checkTags(options.tags)
  within('probeIntervalMs', options.probeIntervalMs, 10, 600_000)
  within('probeTimeoutMs', options.probeTimeoutMs, 1, options.probeIntervalMs - 1)
  whole('indirectProbes', options.indirectProbes, 0, 16)
  within('lambda', options.lambda, 0.5, 100)
  within('suspicionAlpha', options.suspicionAlpha, 1, 100)
  within('suspicionBeta', options.suspicionBeta, 1, 100)
  whole('suspicionConfirmations', options.suspicionConfirmations, 0, 16)
  whole('scoreMax', options.scoreMax, 0, 64)
  for (const name of ['slowMs', 'stallMs', 'syncIntervalMs', 'reconnectIntervalMs', 'forgetMs'] as const)
    within(name, options[name], 1, 2 ** 40)
  within('recoveredMs', options.recoveredMs, 0, 2 ** 40)
  within('degradedHoldMs', options.degradedHoldMs, 0, 2 ** 40)
  whole('membersMax', options.membersMax, 2, 100_000)
  whole('messageBytesMax', options.messageBytesMax, messageBytesMin, 65_000)
  whole('incarnation', options.incarnation, 0, incarnationMax - 1)
  return options
}

/** Throws `invalid-argument`. */
export function checkMemberId(id: string): void {
  text('id', id, 1, idBytesMax)
}

/** Throws `invalid-argument`. */
export function checkMemberAddress(field: string, address: string): void {
  text(field, address, 1, addressBytesMax)
}

/** Throws `invalid-argument`. */
export function checkTags(tags: Readonly<Record<string, string>>): void {
  const names = Object.keys(tags)
  const isFit =
    names.length <= tagsMax &&
    Object.values(tags).every((value) => typeof value === 'string') &&
    tagBytes(tags) <= tagBytesMax
  if (!isFit)
    throw invalidArgument('tags', tags, `at most ${tagsMax} texts by name, ${tagBytesMax} bytes together`)
}

/** Throws `invalid-argument`. */
export function checkDegraded(degraded: string): void {
  text('degraded', degraded, 0, degradedBytesMax)
}

function text(field: string, value: string, min: number, max: number): void {
  const bytes = typeof value === 'string' ? utf8Bytes(value) : -1
  if (bytes < min || bytes > max) throw invalidArgument(field, value, `a text of ${min} to ${max} bytes`)
}

function within(field: string, value: number, min: number, max: number): void {
  if (!(value >= min && value <= max)) throw invalidArgument(field, value, `${min} to ${max}`)
}

function whole(field: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value)) throw invalidArgument(field, value, `a whole number of ${min} to ${max}`)
  within(field, value, min, max)
}
