import { execFile } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageFolder } from './package-folder.ts'

/** The last state of the sources that wrote the first disk format and spoke the first wire version. */
export const previousCommit = '0103e73'

/** A build of the release before this one. */
export interface PreviousRelease {
  /** Its `althing` command. */
  readonly command: string
  /** Its main entry. */
  readonly entry: string
}

const run = promisify(execFile)

/**
 * Builds the previous release in `folder`, from the history of this repository, with this one's packages. Resolves with the reason when the history is not
 * there: a shallow clone has none.
 */
export async function buildPreviousRelease(
  folder: string,
): Promise<PreviousRelease | { readonly missing: string }> {
  try {
    await run('git', ['rev-parse', '--verify', '--quiet', `${previousCommit}^{commit}`], {
      cwd: packageFolder,
    })
  } catch {
    return { missing: `commit ${previousCommit} is not in the history of this clone` }
  }
  // An index of its own: that of the working tree stays as it is.
  const env = { ...process.env, GIT_INDEX_FILE: join(folder, 'index') }
  await run('git', ['read-tree', previousCommit], { cwd: packageFolder, env })
  await run('git', ['checkout-index', '--all', `--prefix=${folder}/`], { cwd: packageFolder, env })
  symlinkSync(join(packageFolder, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'tsconfig.release.json'), JSON.stringify(fastBuild))
  const compiler = join(packageFolder, 'node_modules', 'typescript', 'bin', 'tsc')
  await run(process.execPath, [compiler, '-p', 'tsconfig.release.json'], { cwd: folder })
  const inBuild = (path: string): string => join(folder, 'dist', 'src', path)
  return { command: inBuild('cli/main.js'), entry: inBuild('index.js') }
}

/** It was checked when it was released. */
const fastBuild = {
  extends: './tsconfig.build.json',
  include: ['src'],
  compilerOptions: {
    noCheck: true,
    incremental: false,
    tsBuildInfoFile: null,
    declaration: false,
    sourceMap: false,
    inlineSources: false,
  },
}
