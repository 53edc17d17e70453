import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { readText, root } from './source-tree.ts'

const textFile = /\.(ts|tsx|mjs|js|json|md|yml|yaml|toml|html|css|proto|sh)$|(^|\/)(run|\.npmrc|\.gitignore)$/

const patterns: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  // A folder that exists on one machine only.
  { pattern: /(?<![\w.:/])\/(?:work|root|home\/\w+|Users\/\w+)\/\w/, what: 'a path of one machine' },
  { pattern: /"resol{1}ved":/, what: 'the address a package came from' },
  {
    pattern: /https?:\/\/[^\s/"']*(?:registry|npm-proxy|artifactory|nexus|verdaccio)[^\s/"']*/,
    what: 'a registry',
  },
]

/** Tracked files that exist (one may be deleted and not yet committed). */
export function trackedFiles(): string[] {
  return execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && existsSync(path.join(root, file)))
}

/** Lines of tracked text files that name something which exists on one machine only. */
export function machineTraces(files: readonly string[]): string[] {
  return files
    .filter((file) => textFile.test(file) && !file.includes('/corpus/'))
    .flatMap((file) => tracesIn(file, readText(file)))
}

export function tracesIn(file: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    return patterns
      .filter(({ pattern }) => pattern.test(line))
      .map(({ what }) => `${file}:${index + 1} names ${what}: ${line.trim().slice(0, 100)}`)
  })
}
