// Where things are in the working tree, and what is out of date. Plain Node.js: this runs before anything is installed.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
export const inTree = (...parts) => path.join(root, ...parts)

export const buildStamp = inTree('dist', '.built')

const buildInputs = [
  'src',
  'apps',
  'bench',
  'test',
  'console',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.mjs',
]

/** All files below `folder` (or `folder` itself when it is a file), as paths relative to the root. */
export function filesBelow(folder) {
  const absolute = inTree(folder)
  if (!existsSync(absolute)) return []
  if (!statSync(absolute).isDirectory()) return [folder]
  return readdirSync(absolute, { withFileTypes: true })
    .filter((entry) => entry.name !== 'node_modules')
    .flatMap((entry) => {
      const inside = path.join(folder, entry.name)
      return entry.isDirectory() ? filesBelow(inside) : [inside]
    })
}

export function buildIsStale() {
  if (!existsSync(buildStamp)) return true
  const builtMs = statSync(buildStamp).mtimeMs
  return buildInputs.flatMap(filesBelow).some((file) => statSync(inTree(file)).mtimeMs > builtMs)
}

/**
 * Whether `node_modules` lacks a package of the lock file, or has it in another version. Times are not compared: a fresh
 * checkout gives every file the same one.
 */
export function installIsStale() {
  const installedFile = inTree('node_modules', '.package-lock.json')
  if (!existsSync(installedFile)) return true
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages
  const wanted = JSON.parse(readFileSync(inTree('package-lock.json'), 'utf8')).packages
  return Object.entries(wanted).some(
    ([where, entry]) =>
      where !== '' && !entry.optional && !entry.peer && installed[where]?.version !== entry.version,
  )
}
