import type { ByteString } from '../../base/bytes.ts'
import { invalidArgument } from '../../contracts/errors.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { keySegment, nameOfSegment } from '../names.ts'

/**
 * The keys of a node at depth D (two digits) and PATH, whose names are percent-encoded: with the depth in front the children of a node, and they alone, stand side by side.
 *
 * - `/althing/tree/nodes/D/PATH`: the node: its kind, and its data.
 * - `/althing/tree/children/D/PATH`: how many children came and went, and the next number: there as soon as it has had one.
 * - `/althing/tree/containers/D/PATH`: that it is a container, for those who clear away empty ones.
 */
export const nodesPrefix: ByteString = '/althing/tree/nodes/'
export const containersPrefix: ByteString = '/althing/tree/containers/'
const childrenPrefix: ByteString = '/althing/tree/children/'

const depthMax = 32

/** The names along the path; none for `/`. Throws `invalid-argument`. */
export function segmentsOf(path: string, field = 'path'): readonly string[] {
  const allowed = `'/' or names of 1..256 characters, each after a '/', at most ${depthMax}; no '.' and no '..'`
  if (path === '/') return []
  if (typeof path !== 'string' || !path.startsWith('/')) throw invalidArgument(field, path, allowed)
  const names = path.slice(1).split('/')
  if (names.length > depthMax || names.some((name) => name === '' || name === '.' || name === '..'))
    throw invalidArgument(field, path, allowed)
  for (const name of names) keySegment(field, name)
  return names
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}

export function nodeKey(path: string): ByteString {
  return nodesPrefix + placeOf(path)
}

export function counterKey(path: string): ByteString {
  return childrenPrefix + placeOf(path)
}

export function containerKey(path: string): ByteString {
  return containersPrefix + placeOf(path)
}

/** The keys of the nodes right below. */
export function childrenRange(path: string): { readonly key: ByteString; readonly end: ByteString } {
  const names = segmentsOf(path)
  const start = nodesPrefix + depthText(names.length + 1) + encoded(names)
  return prefixRange(`${start}/`)
}

/** The path of a node or container by its key. */
export function pathOf(key: ByteString, prefix: ByteString): string {
  const names = key.slice(prefix.length + 3).split('/')
  return `/${names.map(nameOfSegment).join('/')}`
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function isWithin(path: string, top: string): boolean {
  return top === '/' || path === top || path.startsWith(`${top}/`)
}

function placeOf(path: string): ByteString {
  const names = segmentsOf(path)
  return depthText(names.length) + encoded(names)
}

function encoded(names: readonly string[]): string {
  return names.map((name) => `/${keySegment('path', name)}`).join('')
}

function depthText(depth: number): string {
  return String(depth).padStart(2, '0')
}
