import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

export interface Import {
  /** As written: `./x.ts`, `node:fs`, `hono`. */
  readonly specifier: string
  /** Path from the root, for a relative specifier. */
  readonly target: string | undefined
  /** Nothing of it is left once types are erased. */
  readonly typeOnly: boolean
  /** Names of a named import or re-export; empty for a namespace, default, side-effect or dynamic import. */
  readonly names: readonly string[]
  readonly line: number
}

export interface SourceFile {
  /** From the root, with `/`. */
  readonly path: string
  readonly syntax: ts.SourceFile
  readonly imports: readonly Import[]
}

export function readText(file: string): string {
  return readFileSync(path.join(root, file), 'utf8')
}

/** Paths, from the root, of all files below `folder`. */
export function filesBelow(folder: string): string[] {
  const absolute = path.join(root, folder)
  if (!existsSync(absolute)) return []
  const names = readdirSync(absolute, { recursive: true, withFileTypes: true })
  return names
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .filter((file) => !file.includes('/node_modules/'))
    .toSorted()
}

export function isTest(file: string): boolean {
  return /\.(test|testkit|test-support)\.tsx?$/.test(file)
}

/** Parses every TypeScript file below the folders. */
export function readSources(folders: readonly string[]): SourceFile[] {
  return folders
    .flatMap(filesBelow)
    .filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'))
    .map((file) => parseSource(file, readText(file)))
}

export function parseSource(file: string, text: string): SourceFile {
  const syntax = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true)
  return { path: file, syntax, imports: importsOf(file, syntax) }
}

export function lineOf(syntax: ts.SourceFile, node: ts.Node): number {
  return syntax.getLineAndCharacterOfPosition(node.getStart(syntax)).line + 1
}

/** Calls `visit` for `node` and everything below it. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

function importsOf(file: string, syntax: ts.SourceFile): Import[] {
  const found: Import[] = []
  const add = (
    node: ts.Node,
    specifier: ts.Node | undefined,
    typeOnly: boolean,
    names: readonly string[],
  ) => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return
    const target = specifier.text.startsWith('.')
      ? path.posix.join(path.posix.dirname(file), specifier.text)
      : undefined
    found.push({ specifier: specifier.text, target, typeOnly, names, line: lineOf(syntax, node) })
  }
  walk(syntax, (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, isTypeOnlyImport(node.importClause), importedNames(node.importClause))
    } else if (ts.isExportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.isTypeOnly, exportedNames(node.exportClause))
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false, [])
    }
  })
  return found
}

function isTypeOnlyImport(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const bindings = clause.namedBindings
  if (clause.name !== undefined || bindings === undefined || !ts.isNamedImports(bindings)) return false
  return bindings.elements.length > 0 && bindings.elements.every((element) => element.isTypeOnly)
}

function importedNames(clause: ts.ImportClause | undefined): string[] {
  const bindings = clause?.namedBindings
  if (bindings === undefined || !ts.isNamedImports(bindings) || clause?.name !== undefined) return []
  return bindings.elements
    .filter((element) => !element.isTypeOnly)
    .map((element) => (element.propertyName ?? element.name).text)
}

function exportedNames(clause: ts.NamedExportBindings | undefined): string[] {
  if (clause === undefined || !ts.isNamedExports(clause)) return []
  return clause.elements.map((element) => (element.propertyName ?? element.name).text)
}
