/**
 * Half-open intervals `start <= x < end` (`end: null` is beyond everything), each with a value, of which those that contain a point are found in logarithmic time plus their number
 * (an interval tree after Cormen et al., chapter 14.3, on a treap: Seidel and Aragon, 1996). The priorities follow from the order of insertion, so that a run can be repeated.
 */
export class IntervalTree<K extends string | number, V> {
  #root: Node<K, V> | undefined
  #size = 0
  #inserted = 0

  get size(): number {
    return this.#size
  }

  get(start: K, end: K | null): V | undefined {
    let node = this.#root
    while (node !== undefined) {
      const order = compare(start, end, node)
      if (order === 0) return node.value
      node = order < 0 ? node.left : node.right
    }
    return undefined
  }

  set(start: K, end: K | null, value: V): void {
    const priority = spread(this.#inserted++)
    this.#root = this.#insert(this.#root, {
      start,
      end,
      value,
      priority,
      maxEnd: end,
      left: undefined,
      right: undefined,
    })
  }

  delete(start: K, end: K | null): boolean {
    const before = this.#size
    this.#root = this.#remove(this.#root, start, end)
    return this.#size < before
  }

  /** Calls `visit` for each interval that contains `point`. `visit` must not change the tree. */
  stab(point: K, visit: (value: V) => void): void {
    stab(this.#root, point, visit)
  }

  /** In the order of the starts. The tree must not change meanwhile. */
  *values(): Generator<V, void, undefined> {
    const path: Node<K, V>[] = []
    let node = this.#root
    while (node !== undefined || path.length > 0) {
      for (; node !== undefined; node = node.left) path.push(node)
      const next = path.pop() as Node<K, V>
      yield next.value
      node = next.right
    }
  }

  #insert(node: Node<K, V> | undefined, added: Node<K, V>): Node<K, V> {
    if (node === undefined) {
      this.#size++
      return added
    }
    const order = compare(added.start, added.end, node)
    if (order === 0) {
      node.value = added.value
      return node
    }
    if (order < 0) {
      node.left = this.#insert(node.left, added)
      return node.left.priority < node.priority ? rotateRight(node, node.left) : withMaxEnd(node)
    }
    node.right = this.#insert(node.right, added)
    return node.right.priority < node.priority ? rotateLeft(node, node.right) : withMaxEnd(node)
  }

  #remove(node: Node<K, V> | undefined, start: K, end: K | null): Node<K, V> | undefined {
    if (node === undefined) return undefined
    const order = compare(start, end, node)
    if (order === 0) {
      this.#size--
      return join(node.left, node.right)
    }
    if (order < 0) node.left = this.#remove(node.left, start, end)
    else node.right = this.#remove(node.right, start, end)
    return withMaxEnd(node)
  }
}

/** `maxEnd` is the largest end at and below the node. Priorities never fall on the way down. */
interface Node<K, V> {
  readonly start: K
  readonly end: K | null
  readonly priority: number
  value: V
  maxEnd: K | null
  left: Node<K, V> | undefined
  right: Node<K, V> | undefined
}

function compare<K extends string | number, V>(start: K, end: K | null, node: Node<K, V>): number {
  if (start !== node.start) return start < node.start ? -1 : 1
  if (end === node.end) return 0
  return isBefore(end, node.end) ? -1 : 1
}

function isBefore<K extends string | number>(a: K | null, b: K | null): boolean {
  return a !== null && (b === null || a < b)
}

function stab<K extends string | number, V>(
  node: Node<K, V> | undefined,
  point: K,
  visit: (value: V) => void,
): void {
  if (node === undefined || (node.maxEnd !== null && node.maxEnd <= point)) return
  stab(node.left, point, visit)
  if (node.start > point) return
  if (node.end === null || point < node.end) visit(node.value)
  stab(node.right, point, visit)
}

function withMaxEnd<K extends string | number, V>(node: Node<K, V>): Node<K, V> {
  let max = node.end
  if (node.left !== undefined && isBefore(max, node.left.maxEnd)) max = node.left.maxEnd
  if (node.right !== undefined && isBefore(max, node.right.maxEnd)) max = node.right.maxEnd
  node.maxEnd = max
  return node
}

function rotateRight<K extends string | number, V>(node: Node<K, V>, left: Node<K, V>): Node<K, V> {
  node.left = left.right
  left.right = withMaxEnd(node)
  return withMaxEnd(left)
}

function rotateLeft<K extends string | number, V>(node: Node<K, V>, right: Node<K, V>): Node<K, V> {
  node.right = right.left
  right.left = withMaxEnd(node)
  return withMaxEnd(right)
}

function join<K extends string | number, V>(
  left: Node<K, V> | undefined,
  right: Node<K, V> | undefined,
): Node<K, V> | undefined {
  if (left === undefined) return right
  if (right === undefined) return left
  if (left.priority < right.priority) {
    left.right = join(left.right, right)
    return withMaxEnd(left)
  }
  right.left = join(left, right.left)
  return withMaxEnd(right)
}

/** Different numbers to different numbers, in no visible order (the finalizer of MurmurHash3). */
function spread(count: number): number {
  let mixed = count | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
