import { invalidArgument } from '../../contracts/errors.ts'
import type { Plain } from './operator-calls.ts'

/** The argument of an operator call, by name. */
export type Fields = Readonly<Record<string, unknown>>

/** Throws `invalid-argument` for what is no object, or has a field not in `names`: a misspelt one would silently do nothing. */
export function fieldsOf(argument: Plain, names: readonly string[]): Fields {
  if (argument === null) return {}
  if (typeof argument !== 'object' || Array.isArray(argument) || argument instanceof Uint8Array)
    throw invalidArgument('argument', argument, `an object with ${names.join(', ')}`)
  const stranger = Object.keys(argument).find((name) => !names.includes(name))
  if (stranger !== undefined) throw invalidArgument('argument', stranger, `one of ${names.join(', ')}`)
  return argument as Fields
}

export function requiredWhole(fields: Fields, name: string): number {
  const value = optionalWhole(fields, name)
  if (value === undefined) throw invalidArgument(name, value, 'a whole number > 0')
  return value
}

export function optionalWhole(fields: Fields, name: string): number | undefined {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  if (!Number.isSafeInteger(value) || (value as number) <= 0)
    throw invalidArgument(name, value, 'a whole number > 0')
  return value as number
}

export function optionalFlag(fields: Fields, name: string): boolean | undefined {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') throw invalidArgument(name, value, 'true or false')
  return value
}

export function requiredText(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string' || value === '') throw invalidArgument(name, value, 'a text')
  return value
}

const addressPattern = /^(?:\[[0-9a-fA-F:]+\]|[^\s:[\]@,=]+):(\d{1,5})$/

export function optionalAddress(fields: Fields, name: string): string | undefined {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  const port = typeof value === 'string' ? Number(addressPattern.exec(value)?.[1]) : Number.NaN
  if (!(port >= 1 && port <= 65_535)) throw invalidArgument(name, value, 'an address of the form host:port')
  return value as string
}
