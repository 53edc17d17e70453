import { AlthingError, isAlthingError } from '../contracts/errors.ts'

/**
 * Loads the client library of an outside engine, which the package names as an optional peer: who does not use the engine does not install it. Rejects with
 * `not-found` and the line that installs it where it is missing.
 */
export async function loadOptionalPackage<Library>(
  name: string,
  version: string,
  neededFor: string,
  load: () => Promise<Library | { readonly default: Library }>,
): Promise<Library> {
  try {
    const library = await load()
    // A CommonJS package comes as the default export of its namespace.
    return hasDefault(library) ? library.default : library
  } catch (cause) {
    if (isAlthingError(cause) || !isMissing(cause, name)) throw cause
    throw new AlthingError(
      'not-found',
      `${neededFor} needs the package ${name}, which is not installed: npm install ${name}@${version}`,
      { outcome: 'none', cause, details: { package: name, version } },
    )
  }
}

function hasDefault<Library>(
  library: Library | { readonly default: Library },
): library is { readonly default: Library } {
  return typeof library === 'object' && library !== null && 'default' in library
}

function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  const isNotFound = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
  // One of its own dependencies may be missing too: then the installation is broken, which is another matter.
  return isNotFound && String(message).includes(`'${name}'`)
}
