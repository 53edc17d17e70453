import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { packageFolder } from '../processes/support/package-folder.ts'
import { scratchFolder } from '../processes/support/scratch-folder.ts'
import type { Mutation } from './mutations.ts'

/** What the build makes of one file, without its types. */
const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  rewriteRelativeImportExtensions: true,
  verbatimModuleSyntax: true,
}

const inPackage = (...parts: string[]): string => join(packageFolder, ...parts)

/** The source with the mistake in it. Throws when the place is not there, or more than once: the table is out of date then. */
export function mutated({ name, file, find, replace }: Mutation, source: string): string {
  const count = source.split(find).length - 1
  if (count !== 1)
    throw new Error(`${name}: ${JSON.stringify(find)} occurs ${count} times in src/${file}, not once`)
  return source.replace(find, () => replace)
}

/** A folder with a copy of the build in which the one file has the mistake. */
export function plantInBuild(mutation: Mutation): string {
  const folder = folderWith(['dist/src', 'package.json'])
  const { outputText } = ts.transpileModule(mutatedFile(mutation), {
    fileName: mutation.file,
    compilerOptions,
  })
  writeFileSync(join(folder, 'dist', 'src', mutation.file.replace(/\.ts$/, '.js')), outputText)
  return folder
}

/** The same with the sources, of which the tests run. */
export function plantInSources(mutation: Mutation): string {
  const folder = folderWith(['src', 'package.json', 'vitest.config.ts', 'tsconfig.json'])
  writeFileSync(join(folder, 'src', mutation.file), mutatedFile(mutation))
  return folder
}

function mutatedFile(mutation: Mutation): string {
  return mutated(mutation, readFileSync(inPackage('src', mutation.file), 'utf8'))
}

function folderWith(parts: readonly string[]): string {
  const folder = scratchFolder('mutation')
  for (const part of parts) cpSync(inPackage(part), join(folder, part), { recursive: true })
  symlinkSync(inPackage('node_modules'), join(folder, 'node_modules'))
  return folder
}
