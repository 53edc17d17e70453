import { readFileSync } from 'node:fs'

/** Ids of all processes below one, as the system knows them now. */
export function descendants(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((text) => text.trim() !== '')
    .map(Number)
  return children.flatMap((child) => [child, ...descendants(child)])
}
