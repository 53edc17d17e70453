import type { Import, SourceFile } from './source-tree.ts'
import { isTest } from './source-tree.ts'

const blocks = [
  'cache',
  'compute',
  'coordination',
  'files',
  'ids',
  'membership',
  'messaging',
  'migration',
  'resilience',
  'shards',
  'traffic',
  'transactions',
]
const foundation = ['base', 'contracts']
const library = [
  ...foundation,
  'protocols',
  'models',
  'access',
  'replication',
  'engines',
  'store',
  ...blocks,
  'observe',
  'world',
]

/** Which folders of `src` each folder may import from, besides itself. The picture is in `docs/architecture.md`. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  contracts: ['base'],
  protocols: foundation,
  models: foundation,
  replication: [...foundation, 'protocols', 'models'],
  access: [...foundation, 'models'],
  engines: [...foundation, 'protocols', 'models', 'replication', 'access'],
  store: foundation,
  ...Object.fromEntries(
    blocks.map((block) => [block, [...foundation, 'protocols', 'store', 'coordination', 'resilience']]),
  ),
  observe: foundation,
  world: foundation,
  testing: library,
  node: [...library, 'testing'],
  cli: [...library, 'testing', 'node'],
  // src/index.ts: the package's main entry.
  '': [...library, 'node'],
}

export function folderOf(file: string): string {
  const parts = file.split('/')
  return parts.length > 2 ? (parts[1] as string) : ''
}

/** Imports against the direction of the layers. Tests may import what they please. */
export function layerViolations(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => !isTest(file.path))
    .flatMap((file) => file.imports.flatMap((each) => layerViolation(file.path, each)))
}

function layerViolation(file: string, { target, line }: Import): string[] {
  const from = folderOf(file)
  const allowed = mayImport[from]
  if (allowed === undefined) {
    return [`${file}: the folder src/${from} has no place in the layers; give it one in ${here}`]
  }
  if (target === undefined) return []
  if (!target.startsWith('src/')) {
    return [`${file}:${line} imports ${target}, outside src; what src needs must live in src`]
  }
  const to = folderOf(target)
  if (to === from || allowed.includes(to)) return []
  return [
    `${file}:${line} imports src/${to}, which stands above or beside src/${from}. ${from} may import: ` +
      `${allowed.join(', ') || 'nothing'}. Take what is needed as a parameter (an interface in src/contracts), or move the ` +
      'shared part down',
  ]
}

const here = 'test/architecture/layers.ts'

/** A file of the library that reaches into a folder through its public `index.ts`, and an `index.ts` where no public folder is. */
export function barrelViolations(files: readonly SourceFile[], publicFolders: readonly string[]): string[] {
  const inner = files
    .filter((file) => file.path.endsWith('/index.ts') && file.path !== 'src/index.ts')
    .filter((file) => !publicFolders.includes(file.path.slice('src/'.length, -'/index.ts'.length)))
    .map(
      (file) => `${file.path}: no barrels inside; import the files themselves, or give the folder an export`,
    )
  const through = files
    .filter((file) => !file.path.endsWith('index.ts') && !isTest(file.path))
    .flatMap((file) =>
      file.imports
        .filter((each) => each.target?.endsWith('/index.ts'))
        .map(
          (each) => `${file.path}:${each.line} imports ${each.target}; import the file that defines the name`,
        ),
    )
  return [...inner, ...through]
}

/** Apps show what a user can do, so they use what a user can use. */
export function appViolations(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => !isTest(file.path))
    .flatMap((file) => {
      const app = file.path.split('/').slice(0, 2).join('/')
      return file.imports
        .filter((each) => each.target !== undefined && !each.target.startsWith(`${app}/`))
        .map(
          (each) =>
            `${file.path}:${each.line} imports ${each.target}; an app imports 'althing/...' or its own files`,
        )
    })
}

/** The console is built for browsers: of the library it may know the types of what the API sends, and no code. */
export function consoleViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter((each) => each.target !== undefined && !each.target.startsWith('console/') && !each.typeOnly)
      .map(
        (each) => `${file.path}:${each.line} imports ${each.target}; the console may \`import type\` only`,
      ),
  )
}
