const kebab = /^[a-z0-9]+(-[a-z0-9]+)*$/
const empty = ['utils', 'util', 'helpers', 'helper', 'common', 'misc', 'shared', 'stuff']

/** Names of TypeScript files and of their folders that break the house's rules. */
export function nameViolations(files: readonly string[]): string[] {
  return files.flatMap((file) =>
    file.split('/').flatMap((part) => {
      const stem = part.split('.')[0] as string
      if (empty.includes(stem))
        return [`${file}: "${stem}" says nothing; name the file for its one main export`]
      return kebab.test(stem) ? [] : [`${file}: "${stem}" is not kebab-case`]
    }),
  )
}
