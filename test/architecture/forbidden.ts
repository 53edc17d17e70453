import ts from 'typescript'
import { folderOf } from './layers.ts'
import { type Import, isTest, lineOf, type SourceFile, walk } from './source-tree.ts'

/** What only the world may touch, and what to write instead. */
const globals: Readonly<Record<string, string>> = {
  Date: 'world.clock.wallMs(), or monotonicMs() to measure a length of time',
  performance: 'world.clock.monotonicMs()',
  setTimeout: 'world.timers.after(delayMs, callback)',
  setInterval: 'world.timers.after(delayMs, callback), set anew each time',
  setImmediate: 'world.timers.immediate(callback)',
  crypto: 'world.random.bytes(length)',
  fetch: 'a client passed in by the composition root',
  WebSocket: 'a client passed in by the composition root',
  Worker: 'world.threads.start(entry, data)',
}

const members: Readonly<Record<string, string>> = {
  'Math.random': 'world.random.float()',
  'process.hrtime': 'world.clock.monotonicMs()',
  'AbortSignal.timeout': 'an AbortController aborted by world.timers.after(...)',
}

const modules: Readonly<Record<string, string>> = {
  'node:fs': 'world.disk',
  'node:fs/promises': 'world.disk',
  'node:net': 'world.network',
  'node:tls': 'world.network',
  'node:dgram': 'world.datagrams',
  'node:dns': 'world.network',
  'node:dns/promises': 'world.network',
  'node:http': 'world.network, or a part of src/node',
  'node:http2': 'world.network, or a part of src/node',
  'node:https': 'world.network, or a part of src/node',
  'node:timers': 'world.timers',
  'node:timers/promises': 'world.timers',
  'node:perf_hooks': 'world.clock',
  'node:worker_threads': 'world.threads',
  'node:child_process': 'a part of src/node or src/cli',
  'node:cluster': 'world.threads',
  'node:os': 'an option that the composition root fills',
  undici: 'a part of src/node or src/cli',
  ws: 'a part of src/node or src/cli',
  pino: 'world.logger',
}

/** Pure functions of a module that is otherwise for the world. */
const pureNames: Readonly<Record<string, readonly string[]>> = {
  'node:crypto': [
    'createCipheriv',
    'createDecipheriv',
    'createHash',
    'createHmac',
    'hash',
    'hkdfSync',
    'timingSafeEqual',
  ],
}

/**
 * The client libraries of outside engines. They open sockets and keep time of their own, and the simulated world has no such servers; so each is for the folder of its
 * engine alone, whose own time and randomness are the world's all the same.
 */
const engineLibraries: Readonly<Record<string, string>> = {
  '@grpc/grpc-js': 'src/engines/etcd/',
  pg: 'src/engines/postgres/',
}

/** Processes start and end here: they may open HTTP servers, child processes and files, but time and randomness are the world's all the same. */
const compositionRoots = ['node', 'cli']

function isWorld(path: string): boolean {
  return path.startsWith('src/world/') || path.startsWith('src/testing/world/')
}

export function forbiddenUses(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => file.path.startsWith('src/') && !isWorld(file.path) && !isTest(file.path))
    .flatMap((file) => [...forbiddenModules(file), ...foreignLibraries(file), ...forbiddenGlobals(file)])
}

function forbiddenModules(file: SourceFile): string[] {
  if (compositionRoots.includes(folderOf(file.path))) {
    return file.imports
      .filter((each) => /^node:(timers|perf_hooks)/.test(each.specifier))
      .map((each) => moduleMessage(file, each, modules[each.specifier] ?? 'world.timers'))
  }
  return file.imports
    .filter((each) => !each.typeOnly)
    .flatMap((each) => {
      const pure = pureNames[each.specifier]
      if (pure !== undefined) {
        const impure = each.names.length === 0 || each.names.some((name) => !pure.includes(name))
        return impure
          ? [moduleMessage(file, each, `only ${pure.join(', ')} of it; world.random otherwise`)]
          : []
      }
      const bare = each.specifier.startsWith('node:') ? each.specifier : `node:${each.specifier}`
      const instead = modules[each.specifier] ?? modules[bare]
      return instead === undefined ? [] : [moduleMessage(file, each, instead)]
    })
}

function foreignLibraries(file: SourceFile): string[] {
  return file.imports.flatMap((each) => {
    const home = engineLibraries[each.specifier]
    return home === undefined || file.path.startsWith(home)
      ? []
      : [moduleMessage(file, each, `the engine: the library is for ${home} alone`)]
  })
}

function moduleMessage(file: SourceFile, { specifier, line }: Import, instead: string): string {
  return `${file.path}:${line} imports ${specifier}; use ${instead}`
}

function forbiddenGlobals(file: SourceFile): string[] {
  const declared = declaredNames(file.syntax)
  const found: string[] = []
  const report = (node: ts.Node, name: string, instead: string): void => {
    found.push(`${file.path}:${lineOf(file.syntax, node)} uses ${name}; use ${instead}`)
  }
  walk(file.syntax, (node) => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      const name = `${node.expression.text}.${node.name.text}`
      const instead = members[name]
      if (instead !== undefined && !declared.has(node.expression.text)) report(node, name, instead)
    }
    if (ts.isIdentifier(node) && isValueUse(node) && !declared.has(node.text)) {
      const instead = Object.hasOwn(globals, node.text) ? globals[node.text] : undefined
      if (instead !== undefined) report(node, node.text, instead)
    }
  })
  return found
}

/** Names that the file declares or imports itself: those hide the globals. */
function declaredNames(syntax: ts.SourceFile): Set<string> {
  const names = new Set<string>()
  walk(syntax, (node) => {
    const isDeclaration =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isImportSpecifier(node) ||
      ts.isImportClause(node) ||
      ts.isNamespaceImport(node) ||
      ts.isBindingElement(node)
    if (isDeclaration && node.name !== undefined && ts.isIdentifier(node.name)) names.add(node.name.text)
  })
  return names
}

/** Whether the identifier stands for a value, not for a type, a member's name or a label. */
function isValueUse(node: ts.Identifier): boolean {
  const parent = node.parent
  if (ts.isPropertyAccessExpression(parent)) {
    return parent.expression === node || isGlobalThis(parent.expression)
  }
  if (ts.isTypeReferenceNode(parent) || ts.isQualifiedName(parent) || ts.isTypeQueryNode(parent)) return false
  if (ts.isExpressionWithTypeArguments(parent)) return ts.isClassLike(parent.parent.parent)
  if (ts.isShorthandPropertyAssignment(parent)) return true
  return (
    !('name' in parent && parent.name === node) && !('propertyName' in parent && parent.propertyName === node)
  )
}

function isGlobalThis(node: ts.Expression): boolean {
  return ts.isIdentifier(node) && node.text === 'globalThis'
}
