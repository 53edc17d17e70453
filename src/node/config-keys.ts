import { readFileSync } from 'node:fs'
import { AlthingError } from '../contracts/errors.ts'
import { type MasterKey, parseMasterKeys } from '../coordination/config/secret-box.ts'

/** The master keys given, those of the environment, or none. Throws `invalid-argument` (their form) or `not-found` (the file). */
export function masterKeysOf(given: string | readonly MasterKey[] | undefined): readonly MasterKey[] {
  if (typeof given === 'string') return keysInFile(given)
  if (given !== undefined) return given
  const text = process.env['ALTHING_CONFIG_KEYS']
  if (text !== undefined && text !== '') return parseMasterKeys(text)
  const file = process.env['ALTHING_CONFIG_KEYS_FILE']
  return file === undefined || file === '' ? [] : keysInFile(file)
}

function keysInFile(file: string): readonly MasterKey[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new AlthingError('not-found', `cannot read the keys for secrets in ${file}`, {
      cause,
      outcome: 'none',
    })
  }
  return parseMasterKeys(text)
}
