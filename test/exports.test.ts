import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { manifestExports, publicFolders } from './architecture/public-folders.ts'
import { filesBelow, root } from './architecture/source-tree.ts'

const indexFiles = filesBelow('src').filter((file) => file.endsWith('/index.ts'))

describe('the exports of the package', () => {
  test('every public folder has one subpath, and every subpath a public folder', () => {
    const folders = indexFiles
      .filter((file) => file !== 'src/index.ts')
      .map((file) => file.slice('src/'.length, -'/index.ts'.length))
    expect(publicFolders().toSorted()).toEqual(folders.toSorted())
  })

  test('each subpath names its types first, then the compiled index of the folder', () => {
    for (const [subpath, target] of Object.entries(manifestExports())) {
      if (subpath === './package.json') continue
      const folder = subpath === '.' ? 'src' : `src/${subpath.slice('./'.length)}`
      expect(existsSync(path.join(root, folder, 'index.ts')), `${folder}/index.ts exists`).toBe(true)
      expect(Object.entries(target)).toEqual([
        ['types', `./dist/${folder}/index.d.ts`],
        ['default', `./dist/${folder}/index.js`],
      ])
    }
  })
})
