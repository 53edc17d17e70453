import { readText } from './source-tree.ts'

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
}

export function manifestExports(): Manifest['exports'] {
  return (JSON.parse(readText('package.json')) as Manifest).exports
}

/** Folders of `src`, by their path inside it, that the package exports under a subpath of the same name. */
export function publicFolders(): string[] {
  return Object.keys(manifestExports())
    .filter((subpath) => subpath.startsWith('./') && subpath !== './package.json')
    .map((subpath) => subpath.slice('./'.length))
}
