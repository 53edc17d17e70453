import { Child } from './child.ts'
import type { NodeCluster } from './node-cluster.ts'

/** Runs a command of `althing` against the cluster, as an operator would; resolves with what it prints as JSON, rejects with what it complains of. */
export async function operator(
  cluster: NodeCluster,
  ...args: readonly string[]
): Promise<Readonly<Record<string, unknown>>> {
  const child = Child.command([...args, '--url', cluster.url, '--json'])
  const { code } = await child.ending()
  if (code !== 0) throw new Error(`althing ${args.join(' ')}: ${child.errors}`)
  return JSON.parse(child.lines.join('\n')) as Readonly<Record<string, unknown>>
}
