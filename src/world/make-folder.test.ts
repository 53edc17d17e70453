import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeFolder } from './make-folder.ts'

const scratch = mkdtempSync(join(tmpdir(), 'althing-folder-'))
afterAll(() => rmSync(scratch, { recursive: true }))

test('a folder is made with all that are missing above it, and the topmost of them is named', async () => {
  const full = join(scratch, 'a/b/c')
  expect(await makeFolder(full, 0o700)).toBe(join(scratch, 'a'))
  expect(statSync(full).isDirectory()).toBe(true)
  expect(statSync(join(scratch, 'a/b')).mode & 0o777).toBe(0o700)
  expect(await makeFolder(full)).toBeUndefined()
  expect(await makeFolder(join(full, 'd'))).toBe(join(full, 'd'))
  expect(await makeFolder('/')).toBeUndefined()
})

test('two may make the same folder at the same time', async () => {
  const full = join(scratch, 'shared/by/two')
  await Promise.all([makeFolder(full), makeFolder(full)])
  expect(statSync(full).isDirectory()).toBe(true)
})

test('a file in the way is told of', async () => {
  const file = join(scratch, 'file')
  writeFileSync(file, '')
  await expect(makeFolder(file)).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(file, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test.skipIf(!existsSync('/proc/self'))('where no folder can be made it says so at once', async () => {
  await expect(makeFolder('/proc/althing/data')).rejects.toMatchObject({ code: 'ENOENT' })
})
