// The Node.js release line that is in long-term support now, from the package that carries its binary, so that one run of
// the unit tests shows that the sources work there too.
import { existsSync } from 'node:fs'
import { capture } from './run.mjs'
import { inTree } from './tree.mjs'

export const ltsVersion = '26.10.0'

const platform = process.platform === 'win32' ? 'win' : process.platform
const packageName = `node-${platform}-${process.arch}`
const cache = inTree('.cache', `node-${ltsVersion}`)
const binary = process.platform === 'win32' ? 'node.exe' : 'node'

/** Path of the binary, fetched once into the cache folder; `undefined` when it cannot be had. */
export async function ltsNode() {
  const file = `${cache}/node_modules/${packageName}/bin/${binary}`
  if (existsSync(file)) return file
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', cache]
  const { code } = await capture('npm', [...args, `${packageName}@${ltsVersion}`])
  return code === 0 && existsSync(file) ? file : undefined
}
