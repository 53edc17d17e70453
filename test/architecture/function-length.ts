import ts from 'typescript'
import { isTest, lineOf, type SourceFile, walk } from './source-tree.ts'

export const linesMax = 60

export interface LongFunction {
  readonly file: string
  readonly name: string
  readonly line: number
  readonly lines: number
}

export function longFunctions(files: readonly SourceFile[]): LongFunction[] {
  const found: LongFunction[] = []
  for (const file of files) {
    if (isTest(file.path)) continue
    walk(file.syntax, (node) => {
      if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return
      const first = lineOf(file.syntax, node)
      const last = file.syntax.getLineAndCharacterOfPosition(node.end).line + 1
      const lines = last - first + 1
      if (lines > linesMax) found.push({ file: file.path, name: nameOf(node), line: first, lines })
    })
  }
  return found
}

/** How many functions over the bound each file has. */
export function countByFile(functions: readonly LongFunction[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { file } of functions) counts[file] = (counts[file] ?? 0) + 1
  return counts
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (node.name !== undefined) return node.name.getText()
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  return ts.isVariableDeclaration(node.parent) ? node.parent.name.getText() : 'a function without a name'
}
