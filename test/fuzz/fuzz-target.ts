import { isDeepStrictEqual } from 'node:util'
import { type ErrorCode, isAlthingError } from '../../src/contracts/errors.ts'

export const areas = ['wire', 'log', 'snapshot', 'http'] as const
export type Area = (typeof areas)[number]

/** A piece of the program that reads bytes which others have made. */
export interface FuzzTarget {
  readonly name: string
  readonly area: Area
  /** How many inputs it gets, in relation to the other targets of a run: the dearer, the fewer. */
  readonly share: number
  /** Valid inputs, made by the real encoders. */
  readonly seeds: readonly Uint8Array[]
  readonly inputBytesMax: number
  /**
   * Hands the input to the code under test. Returns what became of it in a few words: an input with a new outcome joins the corpus. Throws
   * {@link PropertyViolation}, or whatever the code under test should not have thrown.
   */
  run(input: Buffer): string | Promise<string>
  close?(): Promise<void>
}

/** An input has shown that something which must always hold does not. */
export class PropertyViolation extends Error {
  readonly property: string

  constructor(property: string, message: string) {
    super(`${property}: ${message}`)
    this.property = property
  }
}

/** An error that bad input may lead to, as an outcome; any other is thrown on. */
export function refusal(error: unknown, codes: readonly ErrorCode[]): string {
  if (!isAlthingError(error) || !codes.includes(error.code)) throw error
  const cause = error.cause instanceof Error ? ` < ${error.cause.message}` : ''
  return normalized(`${error.code}: ${error.message}${cause}`)
}

/** The same words for the same kind of failure, whatever the numbers and names in it. */
export function normalized(text: string): string {
  return text
    .slice(0, 200)
    .replaceAll(/'[^']*'?|"[^"]*"?|[[{].*/gs, '"')
    .replaceAll(/-?\d+(\.\d+)?|[^ -~]+/g, '#')
    .slice(0, 100)
}

export interface CodecOptions<T> {
  readonly name: string
  readonly area: Area
  readonly share: number
  readonly values: readonly T[]
  encode(value: T): Uint8Array
  decode(bytes: Buffer): T
  /** What a bad input may be refused with. Default `corrupt` only. */
  readonly codes?: readonly ErrorCode[]
  /** What is compared: for values of which a part is not the codec's own. */
  essence?(value: T): unknown
  kindOf?(value: T): string
}

/**
 * A pair of functions that are each other's inverse: what is accepted has one meaning, and has it again once it has been
 * encoded anew; all else is refused with one of few codes.
 */
export function codecTarget<T>(options: CodecOptions<T>): FuzzTarget {
  const { name, area, share, codes = ['corrupt'], essence = (value: T): unknown => value } = options
  const again = (value: T): T => options.decode(asBuffer(options.encode(value)))
  for (const value of options.values) {
    if (!isDeepStrictEqual(comparable(essence(again(value))), comparable(essence(value))))
      throw new PropertyViolation('round-trip', `${name}: a value does not come back as it went`)
  }
  const run = (input: Buffer): string => {
    let value: T
    try {
      value = options.decode(input)
    } catch (error) {
      return refusal(error, codes)
    }
    const repeated = again(value)
    if (!isDeepStrictEqual(comparable(essence(repeated)), comparable(essence(value))))
      throw new PropertyViolation('round-trip', 'what was accepted reads differently once encoded anew')
    return `accepted ${options.kindOf?.(value) ?? ''}`
  }
  const seeds = options.values.map((value) => options.encode(value))
  return { name, area, share, seeds, inputBytesMax: 4_096, run }
}

/** Bytes are compared as bytes, whether they are a `Buffer` or a `Uint8Array`; the two zeros are one. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('latin1')}`
  if (value === 0) return 0
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, comparable(item)]))
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
