import { invalidArgument } from '../../contracts/errors.ts'

/**
 * How the 63 bits of an id are used, from the highest: milliseconds since `epochMs`, datacentre, worker, sequence within the
 * millisecond. The sign bit stays 0, so an id is a positive number in every language (Twitter Snowflake, 2010).
 */
export interface SnowflakeLayout {
  /** Milliseconds since 1970 of the id time 0. */
  readonly epochMs: number
  readonly timeBits: number
  readonly datacentreBits: number
  readonly workerBits: number
  readonly sequenceBits: number
}

/** 41 bits of milliseconds last until September 2093. */
export const defaultLayout: SnowflakeLayout = {
  // 2024-01-01T00:00:00Z
  epochMs: 1_704_067_200_000,
  timeBits: 41,
  datacentreBits: 5,
  workerBits: 5,
  sequenceBits: 12,
}

/** What an id says of itself. */
export interface SnowflakeParts {
  /** Milliseconds since the layout's epoch. */
  readonly time: number
  readonly datacentre: number
  readonly worker: number
  readonly sequence: number
}

/** 2^63 - 1: the greatest id, of 19 digits. */
export const snowflakeMax = 2n ** 63n - 1n
const textChars = 19

/** `layout` with the defaults for what it leaves out. Throws `invalid-argument` where the widths make no sense, or exceed 63 together. */
export function layoutOf(layout: Partial<SnowflakeLayout> = {}): SnowflakeLayout {
  const given = Object.entries(layout).filter(([, value]) => value !== undefined)
  const full = { ...defaultLayout, ...(Object.fromEntries(given) as Partial<SnowflakeLayout>) }
  checkWidth('timeBits', full.timeBits, 30, 48)
  checkWidth('datacentreBits', full.datacentreBits, 0, 12)
  checkWidth('workerBits', full.workerBits, 0, 14)
  checkWidth('sequenceBits', full.sequenceBits, 0, 22)
  if (!Number.isSafeInteger(full.epochMs) || full.epochMs < 0)
    throw invalidArgument('epochMs', full.epochMs, 'whole milliseconds since 1970')
  const total = layoutBits(full)
  if (total > 63) throw invalidArgument('layout', total, 'at most 63 bits together')
  return full
}

function checkWidth(field: string, bits: number, min: number, max: number): void {
  if (!Number.isInteger(bits) || bits < min || bits > max)
    throw invalidArgument(field, bits, `a whole number of bits from ${min} to ${max}`)
}

export function layoutBits({ timeBits, datacentreBits, workerBits, sequenceBits }: SnowflakeLayout): number {
  return timeBits + datacentreBits + workerBits + sequenceBits
}

/** The parts must be within their widths. */
export function composeSnowflake(layout: SnowflakeLayout, parts: SnowflakeParts): bigint {
  const node = parts.datacentre * 2 ** layout.workerBits + parts.worker
  const time = BigInt(parts.time) << BigInt(layoutBits(layout) - layout.timeBits)
  return time | (BigInt(node) << BigInt(layout.sequenceBits)) | BigInt(parts.sequence)
}

/** The inverse of {@link composeSnowflake}. Throws `invalid-argument` for what is no id of this layout. */
export function parseSnowflake(id: bigint | string, layout: SnowflakeLayout = defaultLayout): SnowflakeParts {
  const value = snowflakeOf(id)
  const node = Number(
    (value >> BigInt(layout.sequenceBits)) & (2n ** BigInt(layout.datacentreBits + layout.workerBits) - 1n),
  )
  const time = value >> BigInt(layoutBits(layout) - layout.timeBits)
  if (time >= 2n ** BigInt(layout.timeBits))
    throw invalidArgument('id', value, `below 2^${layoutBits(layout)}, the width of its layout`)
  return {
    time: Number(time),
    datacentre: Math.floor(node / 2 ** layout.workerBits),
    worker: node % 2 ** layout.workerBits,
    sequence: Number(value & (2n ** BigInt(layout.sequenceBits) - 1n)),
  }
}

/** An id from either of its forms. Throws `invalid-argument` for a number, too: past 2^53 it would already be another id. */
export function snowflakeOf(id: bigint | string): bigint {
  const isText = typeof id === 'string' && /^\d{1,19}$/.test(id)
  const value = isText ? BigInt(id) : id
  if (typeof value !== 'bigint' || value < 0n || value > snowflakeMax)
    throw invalidArgument('id', id, 'a bigint, or a text of at most 19 decimal digits, below 2^63')
  return value
}

/** 19 digits with zeros in front: texts sort as the ids do. */
export function snowflakeText(id: bigint): string {
  return snowflakeOf(id).toString().padStart(textChars, '0')
}

/** The id as a number. Throws `invalid-argument` past 2^53 - 1, where a number would be another id. */
export function snowflakeNumber(id: bigint): number {
  if (id < 0n || id > BigInt(Number.MAX_SAFE_INTEGER))
    throw invalidArgument(
      'id',
      id,
      'at most 2^53 - 1 to be a JavaScript number; keep it as bigint or text, or choose a layout of 53 bits',
    )
  return Number(id)
}
