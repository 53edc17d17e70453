import { describe, expect, test } from 'vitest'
import { createProgram } from './program.ts'

const grant = async (...keys: readonly string[]): Promise<void> => {
  await createProgram().parseAsync(['node', 'althing', 'access', 'role', 'grant', 'r', 'read', ...keys])
}

describe('access role grant', () => {
  test('asks which keys before it calls anybody', async () => {
    await expect(grant()).rejects.toThrow(
      'no keys are named: give one of --prefix TEXT, --key TEXT and --all, and only one',
    )
  })

  test('takes keys that are named in one way only', async () => {
    await expect(grant('--prefix', 'a', '--all')).rejects.toThrow(/^the keys are named twice: give one of/)
  })
})
