import { describe, expect, test } from 'vitest'
import { loadOptionalPackage } from './optional-package.ts'

const loading = (load: () => Promise<unknown>): Promise<unknown> =>
  loadOptionalPackage('@grpc/grpc-js', '1', 'the etcd engine', load)

describe('the library of an outside engine', () => {
  test('that is missing is named, with the line that installs it', async () => {
    const missing = Object.assign(new Error("Cannot find package '@grpc/grpc-js' imported from x.js"), {
      code: 'ERR_MODULE_NOT_FOUND',
    })
    await expect(loading(() => Promise.reject(missing))).rejects.toMatchObject({
      code: 'not-found',
      message:
        'the etcd engine needs the package @grpc/grpc-js, which is not installed: npm install @grpc/grpc-js@1',
      details: { package: '@grpc/grpc-js' },
      cause: missing,
    })
  })

  test('that Node.js cannot find is recognised by what Node.js says', async () => {
    const name = 'a-package-that-nobody-has-installed'
    const load = (): Promise<unknown> => import(/* @vite-ignore */ name)
    await expect(loadOptionalPackage(name, '1', 'this test', load)).rejects.toMatchObject({
      code: 'not-found',
    })
  })

  test('that is broken fails as it does', async () => {
    const broken = Object.assign(new Error("Cannot find package 'long' imported from '@grpc/x'"), {
      code: 'ERR_MODULE_NOT_FOUND',
    })
    await expect(loading(() => Promise.reject(broken))).rejects.toBe(broken)
    const other = new SyntaxError('unexpected token')
    await expect(loading(() => Promise.reject(other))).rejects.toBe(other)
  })

  test('is what the module exports, by name or as its default', async () => {
    const library = { Client: () => undefined }
    expect(await loading(() => Promise.resolve(library))).toBe(library)
    expect(await loading(() => Promise.resolve({ default: library }))).toBe(library)
  })
})
