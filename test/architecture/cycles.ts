import type { SourceFile } from './source-tree.ts'

/** Cycles among the value imports of the files, each as a list of paths that ends where it began. One is given for each knot. */
export function importCycles(files: readonly SourceFile[]): string[][] {
  const graph = new Map(files.map((file) => [file.path, valueTargets(file)]))
  const state = new Map<string, 'open' | 'done'>()
  const stack: string[] = []
  const cycles: string[][] = []

  const visit = (path: string): void => {
    state.set(path, 'open')
    stack.push(path)
    for (const next of graph.get(path) ?? []) {
      if (state.get(next) === 'open') cycles.push([...stack.slice(stack.indexOf(next)), next])
      else if (!state.has(next) && graph.has(next)) visit(next)
    }
    stack.pop()
    state.set(path, 'done')
  }
  for (const path of graph.keys()) if (!state.has(path)) visit(path)
  return cycles
}

function valueTargets(file: SourceFile): string[] {
  return file.imports.filter((each) => !each.typeOnly).flatMap((each) => each.target ?? [])
}
