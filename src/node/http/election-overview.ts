import type { KeyValue, ReadOptions, Store } from '../../contracts/store.ts'
import type { Candidate, Leader } from '../../coordination/election/election-types.ts'
import {
  candidateOf,
  electionKeys,
  electionView,
  leaderOf,
} from '../../coordination/election/election-view.ts'
import { prefixRange } from '../../coordination/locks/lock-entry.ts'
import { nameOfSegment } from '../../coordination/names.ts'
import { readWholeRange } from '../../coordination/range-pages.ts'

export const electionsPrefix = '/althing/elections/'

export interface ElectionOverview {
  readonly name: string
  /** Null while nobody leads. */
  readonly leader: Leader | null
  /** In the order in which they are to lead. */
  readonly candidates: readonly Candidate[]
}

/** Every election with a leader or a candidate, by name: one read. */
export async function listElections(
  store: Store,
  options: ReadOptions,
): Promise<readonly ElectionOverview[]> {
  const { kvs } = await readWholeRange(store, prefixRange(electionsPrefix), options)
  const byName = new Map<string, KeyValue[]>()
  for (const kv of kvs) {
    const name = electionNameOf(kv.key)
    if (name !== undefined) byName.set(name, [...(byName.get(name) ?? []), kv])
  }
  return [...byName].map(([name, own]) => overview(name, own)).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function overview(name: string, kvs: readonly KeyValue[]): ElectionOverview {
  const keys = electionKeys(name)
  const view = electionView(keys, new Map(kvs.map((kv) => [kv.key, kv])))
  const candidates = view.candidates.map((kv) => candidateOf(keys, kv, view.heir))
  return {
    name,
    leader: leaderOf(view.leader) ?? null,
    candidates: candidates.sort((a, b) => Number(b.isHeir) - Number(a.isHeir)),
  }
}

/** Undefined for a key of another form. */
function electionNameOf(key: string): string | undefined {
  const end = key.indexOf('/', electionsPrefix.length)
  if (end <= electionsPrefix.length) return undefined
  try {
    return nameOfSegment(key.slice(electionsPrefix.length, end))
  } catch {
    return undefined
  }
}
