/**
 * An ordered map: a B+tree whose nodes are copied on write (after the epochs of ownership of Clojure's transients). {@link BTree.clone} takes
 * constant time: both trees give up the ownership of the nodes they share, and each copies a shared node before it changes it first. So a clone serves
 * as a frozen view while the original goes on changing.
 *
 * Each inner node knows the number of entries below it, so counting a range takes logarithmic time.
 */
export class BTree<K extends string | number, V> {
  #root: Node<K, V>
  #owner: object

  constructor() {
    this.#owner = {}
    this.#root = { owner: this.#owner, keys: [], values: [], children: undefined, size: 0 }
  }

  get size(): number {
    return this.#root.size
  }

  get(key: K): V | undefined {
    let node = this.#root
    while (node.children !== undefined) node = node.children[childIndex(node, key)] as Node<K, V>
    const at = lowerBound(node.keys, key)
    return node.keys[at] === key ? (node.values as V[])[at] : undefined
  }

  has(key: K): boolean {
    let node = this.#root
    while (node.children !== undefined) node = node.children[childIndex(node, key)] as Node<K, V>
    return node.keys[lowerBound(node.keys, key)] === key
  }

  /** Returns the value that was there before. */
  set(key: K, value: V): V | undefined {
    const root = owned(this.#root, this.#owner)
    this.#root = root
    const previous = insert(root, key, value, this.#owner)
    if (root.keys.length > entriesMax) this.#growRoot(root)
    return previous
  }

  /** Returns the value that was there. */
  delete(key: K): V | undefined {
    if (!this.has(key)) return undefined
    const root = owned(this.#root, this.#owner)
    const removed = remove(root, key, this.#owner)
    this.#root = root.children?.length === 1 ? (root.children[0] as Node<K, V>) : root
    return removed
  }

  /** A tree with the same entries, in constant time. Later changes of one are not seen in the other. */
  clone(): BTree<K, V> {
    const copy = new BTree<K, V>()
    copy.#root = this.#root
    this.#owner = {}
    return copy
  }

  /** Number of entries with a key smaller than `key`. */
  rank(key: K): number {
    let node = this.#root
    let below = 0
    while (node.children !== undefined) {
      const index = childIndex(node, key)
      for (let i = 0; i < index; i++) below += (node.children[i] as Node<K, V>).size
      node = node.children[index] as Node<K, V>
    }
    return below + lowerBound(node.keys, key)
  }

  /** Number of entries with `from <= key < end`; `end: null` means to the last. */
  count(from: K, end: K | null): number {
    return Math.max(0, (end === null ? this.size : this.rank(end)) - this.rank(from))
  }

  /** Visits the entries with `from <= key < end` in rising order until `visit` returns false. `visit` must not change the tree. */
  scan(from: K, end: K | null, visit: (value: V, key: K) => boolean): void {
    if (end !== null && end <= from) return
    scanUp(this.#root, from, end, visit)
  }

  /** As {@link scan}, in falling order. */
  scanBackwards(from: K, end: K | null, visit: (value: V, key: K) => boolean): void {
    if (end !== null && end <= from) return
    scanDown(this.#root, from, end, visit)
  }

  /** All values in the order of their keys. The tree must not change meanwhile: iterate over a clone. */
  *values(): Generator<V, void, undefined> {
    for (const leaf of leavesOf(this.#root)) yield* leaf.values as V[]
  }

  /** All entries in the order of their keys. The tree must not change meanwhile: iterate over a clone. */
  *entries(): Generator<readonly [K, V], void, undefined> {
    for (const leaf of leavesOf(this.#root)) {
      for (let i = 0; i < leaf.keys.length; i++) yield [leaf.keys[i] as K, (leaf.values as V[])[i] as V]
    }
  }

  #growRoot(root: Node<K, V>): void {
    const [separator, right] = split(root, this.#owner)
    this.#root = {
      owner: this.#owner,
      keys: [separator],
      values: undefined,
      children: [root, right],
      size: root.size + right.size,
    }
  }
}

/**
 * A leaf has `values`, one to each key. An inner node has `children`, one more than keys: every key below `children[i]` is smaller than `keys[i]`,
 * and every key below `children[i + 1]` is not.
 */
interface Node<K, V> {
  readonly owner: object
  readonly keys: K[]
  readonly values: V[] | undefined
  readonly children: Node<K, V>[] | undefined
  size: number
}

const entriesMax = 63
const entriesMin = 31

/** Index of the first key that is not smaller than `key`. */
function lowerBound<K>(keys: readonly K[], key: K): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as K) < key) low = middle + 1
    else high = middle
  }
  return low
}

function childIndex<K, V>(node: Node<K, V>, key: K): number {
  const at = lowerBound(node.keys, key)
  return node.keys[at] === key ? at + 1 : at
}

function owned<K, V>(node: Node<K, V>, owner: object): Node<K, V> {
  if (node.owner === owner) return node
  return {
    owner,
    keys: node.keys.slice(),
    values: node.values?.slice(),
    children: node.children?.slice(),
    size: node.size,
  }
}

/** `node` is owned; it may come out with one key too many, which its parent (or the tree) splits off. */
function insert<K, V>(node: Node<K, V>, key: K, value: V, owner: object): V | undefined {
  const sizeBefore = node.size
  if (node.children === undefined) return insertInLeaf(node, key, value)
  const index = childIndex(node, key)
  const child = owned(node.children[index] as Node<K, V>, owner)
  node.children[index] = child
  const childSizeBefore = child.size
  const previous = insert(child, key, value, owner)
  node.size = sizeBefore + child.size - childSizeBefore
  if (child.keys.length > entriesMax) {
    const [separator, right] = split(child, owner)
    node.keys.splice(index, 0, separator)
    node.children.splice(index + 1, 0, right)
  }
  return previous
}

function insertInLeaf<K, V>(leaf: Node<K, V>, key: K, value: V): V | undefined {
  const values = leaf.values as V[]
  const at = lowerBound(leaf.keys, key)
  if (leaf.keys[at] === key) {
    const previous = values[at]
    values[at] = value
    return previous
  }
  leaf.keys.splice(at, 0, key)
  values.splice(at, 0, value)
  leaf.size++
  return undefined
}

/** Moves the upper half of an owned node to a new one; returns it with the key that separates the two. */
function split<K, V>(node: Node<K, V>, owner: object): [K, Node<K, V>] {
  const middle = node.keys.length >>> 1
  if (node.children === undefined) {
    const keys = node.keys.splice(middle)
    const values = (node.values as V[]).splice(middle)
    node.size = node.keys.length
    return [keys[0] as K, { owner, keys, values, children: undefined, size: keys.length }]
  }
  const keys = node.keys.splice(middle + 1)
  const separator = node.keys.pop() as K
  const children = node.children.splice(middle + 1)
  const size = totalSize(children)
  node.size -= size
  return [separator, { owner, keys, values: undefined, children, size }]
}

function totalSize<K, V>(nodes: readonly Node<K, V>[]): number {
  let size = 0
  for (const node of nodes) size += node.size
  return size
}

/** `node` is owned and `key` is below it. It may come out with one key too few, which its parent makes up for. */
function remove<K, V>(node: Node<K, V>, key: K, owner: object): V | undefined {
  node.size--
  if (node.children === undefined) {
    const at = lowerBound(node.keys, key)
    node.keys.splice(at, 1)
    return (node.values as V[]).splice(at, 1)[0]
  }
  const index = childIndex(node, key)
  const child = owned(node.children[index] as Node<K, V>, owner)
  node.children[index] = child
  const removed = remove(child, key, owner)
  if (child.keys.length < entriesMin) refill(node, index, owner)
  return removed
}

/** Gives the child at `index` a key of a neighbour that can spare one, or else makes one node of the two. */
function refill<K, V>(parent: Node<K, V>, index: number, owner: object): void {
  const children = parent.children as Node<K, V>[]
  const left = children[index - 1]
  const right = children[index + 1]
  if (left !== undefined && left.keys.length > entriesMin) borrowFromLeft(parent, index, owner)
  else if (right !== undefined && right.keys.length > entriesMin) borrowFromRight(parent, index, owner)
  else merge(parent, left === undefined ? index : index - 1, owner)
}

function borrowFromLeft<K, V>(parent: Node<K, V>, index: number, owner: object): void {
  const children = parent.children as Node<K, V>[]
  const child = children[index] as Node<K, V>
  const left = owned(children[index - 1] as Node<K, V>, owner)
  children[index - 1] = left
  const key = left.keys.pop() as K
  let moved = 1
  if (child.children === undefined) {
    child.keys.unshift(key)
    child.values?.unshift(left.values?.pop() as V)
  } else {
    const grandchild = left.children?.pop() as Node<K, V>
    child.keys.unshift(parent.keys[index - 1] as K)
    child.children.unshift(grandchild)
    moved = grandchild.size
  }
  parent.keys[index - 1] = key
  left.size -= moved
  child.size += moved
}

function borrowFromRight<K, V>(parent: Node<K, V>, index: number, owner: object): void {
  const children = parent.children as Node<K, V>[]
  const child = children[index] as Node<K, V>
  const right = owned(children[index + 1] as Node<K, V>, owner)
  children[index + 1] = right
  const key = right.keys.shift() as K
  let moved = 1
  if (child.children === undefined) {
    child.keys.push(key)
    child.values?.push(right.values?.shift() as V)
    parent.keys[index] = right.keys[0] as K
  } else {
    const grandchild = right.children?.shift() as Node<K, V>
    child.keys.push(parent.keys[index] as K)
    child.children.push(grandchild)
    parent.keys[index] = key
    moved = grandchild.size
  }
  right.size -= moved
  child.size += moved
}

/** Makes one node of the children at `index` and `index + 1`. */
function merge<K, V>(parent: Node<K, V>, index: number, owner: object): void {
  const children = parent.children as Node<K, V>[]
  const left = owned(children[index] as Node<K, V>, owner)
  const right = children[index + 1] as Node<K, V>
  children[index] = left
  if (left.children === undefined) {
    left.values?.push(...(right.values as V[]))
  } else {
    left.keys.push(parent.keys[index] as K)
    left.children.push(...(right.children as Node<K, V>[]))
  }
  left.keys.push(...right.keys)
  left.size += right.size
  parent.keys.splice(index, 1)
  children.splice(index + 1, 1)
}

function scanUp<K extends string | number, V>(
  node: Node<K, V>,
  from: K,
  end: K | null,
  visit: (value: V, key: K) => boolean,
): boolean {
  if (node.children === undefined) {
    const values = node.values as V[]
    for (let i = lowerBound(node.keys, from); i < node.keys.length; i++) {
      const key = node.keys[i] as K
      if ((end !== null && key >= end) || !visit(values[i] as V, key)) return false
    }
    return true
  }
  for (let i = childIndex(node, from); i < node.children.length; i++) {
    if (!scanUp(node.children[i] as Node<K, V>, from, end, visit)) return false
  }
  return true
}

function scanDown<K extends string | number, V>(
  node: Node<K, V>,
  from: K,
  end: K | null,
  visit: (value: V, key: K) => boolean,
): boolean {
  const last = end === null ? node.keys.length : lowerBound(node.keys, end)
  if (node.children === undefined) {
    const values = node.values as V[]
    for (let i = last - 1; i >= 0; i--) {
      const key = node.keys[i] as K
      if (key < from || !visit(values[i] as V, key)) return false
    }
    return true
  }
  for (let i = last; i >= 0; i--) {
    if (!scanDown(node.children[i] as Node<K, V>, from, end, visit)) return false
  }
  return true
}

function* leavesOf<K, V>(node: Node<K, V>): Generator<Node<K, V>, void, undefined> {
  if (node.children === undefined) yield node
  else for (const child of node.children) yield* leavesOf(child)
}
