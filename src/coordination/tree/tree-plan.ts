import { bytesFromText, type ByteString, textFromBytes } from '../../base/bytes.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Compare, KeyValue, LeaseId, Operation, TxnReply } from '../../contracts/store.ts'
import { childrenRange, containerKey, counterKey, nodeKey, parentOf } from './tree-path.ts'
import type { NodeKind, NodeStat, TreeConflict, TreeOperation } from './tree-types.ts'

const kinds: readonly NodeKind[] = ['persistent', 'ephemeral', 'container', 'ttl']

/** A node as the plan sees it: as it was read, and as what is planned so far makes it. */
interface PlannedNode {
  readonly kind: NodeKind
  readonly version: number
}

/** How children came and went. */
interface ChildCounter {
  readonly cversion: number
  /** Of the next sequential child. */
  readonly next: number
}

/** An operation with the lease on which its node is to hang. */
export type LeasedOperation = TreeOperation & { readonly lease?: LeaseId }

/** What `readsOf` reads of a path. */
interface PathRead {
  readonly node: KeyValue | undefined
  readonly counter: KeyValue | undefined
  readonly children: number
}

/** The reads that a plan needs: three for each path. */
export function readsOf(paths: readonly string[]): readonly Operation[] {
  return paths.flatMap((path): Operation[] => [
    { op: 'range', key: nodeKey(path) },
    { op: 'range', key: counterKey(path) },
    { op: 'range', ...childrenRange(path), countOnly: true },
  ])
}

export function readPaths(paths: readonly string[], reply: TxnReply): ReadonlyMap<string, PathRead> {
  const ranges = reply.replies.map((each) => (each.op === 'range' ? each : undefined))
  return new Map(
    paths.map((path, index) => {
      const [node, counter, children] = ranges.slice(index * 3, index * 3 + 3)
      return [path, { node: node?.kvs[0], counter: counter?.kvs[0], children: children?.count ?? 0 }]
    }),
  )
}

/**
 * Operations, one after the other, on what was read of their paths: pure. What comes out is one transaction that compares the revision of all that was read. Deletions
 * see no child that comes meanwhile, since its coming changes the counter of its parent.
 */
export class TreePlan {
  readonly #reads: ReadonlyMap<string, PathRead>
  readonly #nodes = new Map<string, PlannedNode | undefined>()
  readonly #counters = new Map<string, ChildCounter>()
  readonly #children = new Map<string, number>()
  readonly #writes = new Map<ByteString, Operation>()
  readonly #touched = new Set<string>()

  constructor(reads: ReadonlyMap<string, PathRead>) {
    this.#reads = reads
    for (const [path, { node, counter, children }] of reads) {
      this.#nodes.set(path, path === '/' ? { kind: 'persistent', version: 0 } : plannedNode(node))
      this.#counters.set(path, decodeCounter(counter))
      this.#children.set(path, children)
    }
  }

  get writes(): readonly Operation[] {
    return [...this.#writes.values()]
  }

  /** Sequential nodes: their keys were not read, and must not be there. */
  get fresh(): readonly string[] {
    return [...this.#touched].filter((path) => !this.#reads.has(path))
  }

  /** What tells, of a plan that was refused, whether a number was taken by hand: see {@link takenByHand}. */
  get freshReads(): readonly Extract<Operation, { op: 'range' }>[] {
    return this.fresh.flatMap((path) => [
      { op: 'range', key: nodeKey(path), keysOnly: true },
      { op: 'range', key: counterKey(parentOf(path)), keysOnly: true },
    ])
  }

  get compares(): readonly Compare[] {
    const fresh = this.fresh.map(
      (path): Compare => ({ target: 'createRevision', key: nodeKey(path), op: '=', value: 0 }),
    )
    return [...fresh, ...this.#readCompares()]
  }

  #readCompares(): readonly Compare[] {
    return [...this.#reads].flatMap(([path, { node, counter }]): Compare[] => [
      { target: 'modRevision', key: nodeKey(path), op: '=', value: node?.modRevision ?? 0 },
      { target: 'modRevision', key: counterKey(path), op: '=', value: counter?.modRevision ?? 0 },
    ])
  }

  /** A node that has the next number though the counter of its parent has not moved on: it was not created as a sequential one. */
  takenByHand(reply: TxnReply): string | undefined {
    const kvs = reply.replies.map((each) => (each.op === 'range' ? each.kvs[0] : undefined))
    return this.fresh.find((path, index) => {
      const counter = this.#reads.get(parentOf(path))?.counter
      return kvs[index * 2] !== undefined && kvs[index * 2 + 1]?.modRevision === counter?.modRevision
    })
  }

  /** Returns the path of the node, with its number where it has one. */
  apply(operation: LeasedOperation): string {
    switch (operation.op) {
      case 'create':
        return this.#create(operation)
      case 'set':
        this.#set(operation)
        return operation.path
      case 'delete':
        this.#delete(operation)
        return operation.path
      case 'check':
        this.#existing(operation.path, operation.version)
        return operation.path
    }
  }

  #create(operation: Extract<LeasedOperation, { op: 'create' }>): string {
    const { kind = 'persistent', sequential = false, data = new Uint8Array(0), lease = 0 } = operation
    const parent = parentOf(operation.path)
    const above = this.#nodes.get(parent)
    if (above === undefined) throw noNode(parent)
    if (above.kind === 'ephemeral' || above.kind === 'ttl')
      throw conflict('no-children-allowed', parent, `${above.kind} nodes have no children`)
    const { next } = this.#counterOf(parent)
    const path = sequential ? operation.path + String(next).padStart(10, '0') : operation.path
    if (this.#nodes.get(path) !== undefined) throw conflict('node-exists', path, 'it exists already')
    this.#touch(path)
    this.#nodes.set(path, { kind, version: 0 })
    this.#write({ op: 'put', key: nodeKey(path), value: encodeNode(kind, data), lease })
    if (kind === 'container') this.#write({ op: 'put', key: containerKey(path), value: new Uint8Array(0) })
    this.#count(parent, 1)
    return path
  }

  #set({ path, data, version, lease }: Extract<LeasedOperation, { op: 'set' }>): void {
    const node = this.#existing(path, version)
    if (path === '/') throw invalidArgument('path', path, 'one below the root, which has no data')
    this.#touch(path)
    this.#nodes.set(path, { ...node, version: node.version + 1 })
    const value = encodeNode(node.kind, data)
    this.#write({ op: 'put', key: nodeKey(path), value, lease: lease ?? 'keep' })
  }

  #delete({ path, version }: Extract<LeasedOperation, { op: 'delete' }>): void {
    const node = this.#existing(path, version)
    if (path === '/') throw invalidArgument('path', path, 'one below the root, which stays')
    const children = this.#children.get(path) ?? 0
    if (children > 0) throw conflict('not-empty', path, `it has ${children} children`)
    this.#touch(path)
    this.#nodes.set(path, undefined)
    this.#write({ op: 'delete', key: nodeKey(path) })
    this.#writes.set(counterKey(path), { op: 'delete', key: counterKey(path) })
    if (node.kind === 'container') this.#write({ op: 'delete', key: containerKey(path) })
    this.#count(parentOf(path), -1)
  }

  #existing(path: string, version: number | undefined): PlannedNode {
    const node = this.#nodes.get(path)
    if (node === undefined) throw noNode(path)
    if (version !== undefined && version !== node.version)
      throw conflict('bad-version', path, `its version is ${node.version}, not ${version}`)
    return node
  }

  #counterOf(path: string): ChildCounter {
    return this.#counters.get(path) ?? { cversion: 0, next: 0 }
  }

  /** A child came (1) or went (-1). The number grows with each that comes, as in ZooKeeper. */
  #count(parent: string, by: 1 | -1): void {
    const { cversion, next } = this.#counterOf(parent)
    const counter = { cversion: cversion + 1, next: by === 1 ? next + 1 : next }
    this.#counters.set(parent, counter)
    this.#children.set(parent, (this.#children.get(parent) ?? 0) + by)
    const key = counterKey(parent)
    this.#writes.set(key, { op: 'put', key, value: bytesFromText(JSON.stringify(counter)) })
  }

  /** A key is written once in a transaction. */
  #touch(path: string): void {
    if (this.#touched.has(path)) throw invalidArgument('path', path, 'changed at most once in a multi')
    this.#touched.add(path)
  }

  #write(operation: Extract<Operation, { op: 'put' | 'delete' }>): void {
    this.#writes.set(operation.key, operation)
  }
}

export function kindOf({ value }: KeyValue): NodeKind {
  return kinds[value[0] ?? 0] ?? 'persistent'
}

export function dataOf({ value }: KeyValue): Uint8Array {
  return value.subarray(1)
}

export function statOf(node: KeyValue, counter: KeyValue | undefined, numChildren: number): NodeStat {
  const kind = kindOf(node)
  return {
    kind,
    czxid: node.createRevision,
    mzxid: node.modRevision,
    pzxid: counter?.modRevision ?? 0,
    version: node.version - 1,
    cversion: decodeCounter(counter).cversion,
    ephemeralOwner: kind === 'ephemeral' ? node.lease : 0,
    dataLength: node.value.byteLength - 1,
    numChildren,
  }
}

export function noNode(path: string): AlthingError {
  return new AlthingError('not-found', `there is no node ${path}`, { outcome: 'none', details: { path } })
}

export function conflict(reason: TreeConflict, path: string, why: string): AlthingError {
  return new AlthingError('conflict', `node ${path}: ${why}`, { outcome: 'none', details: { path, reason } })
}

function plannedNode(kv: KeyValue | undefined): PlannedNode | undefined {
  return kv === undefined ? undefined : { kind: kindOf(kv), version: kv.version - 1 }
}

function encodeNode(kind: NodeKind, data: Uint8Array): Uint8Array {
  const value = new Uint8Array(data.byteLength + 1)
  value[0] = kinds.indexOf(kind)
  value.set(data, 1)
  return value
}

function decodeCounter(kv: KeyValue | undefined): ChildCounter {
  if (kv === undefined) return { cversion: 0, next: 0 }
  const counter = JSON.parse(textFromBytes(kv.value)) as Partial<ChildCounter> | null
  if (typeof counter?.cversion === 'number' && typeof counter.next === 'number')
    return counter as ChildCounter
  throw new AlthingError('corrupt', `${kv.key} is no counter of children`, {
    outcome: 'none',
    details: { key: kv.key },
  })
}
