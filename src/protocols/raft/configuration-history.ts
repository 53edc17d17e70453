import { assert } from '../../base/assert.ts'
import { decodeConfiguration, isVoterOf } from './configuration.ts'
import type { Configuration, Entry, NodeId, RestoredState } from './types.ts'

interface Version {
  /** Of the entry that holds it; 0 for the first of all, and the snapshot's own index for one that came with a snapshot. */
  readonly index: number
  readonly configuration: Configuration
}

/**
 * The configurations that a log holds, from the newest that is surely applied on: the newest of all is in use, committed or not (thesis
 * section 4.1), and the ones before it are needed when its entry is overwritten, and for snapshots of earlier states. Bounded by the
 * changes that are not applied yet, which is one, plus what a follower has not caught up with.
 */
export class ConfigurationHistory {
  #versions: Version[]

  constructor(version: Version) {
    this.#versions = [version]
  }

  /** The snapshot's, or the first of all, and those of the entries after it. */
  static restore({ snapshot, entries, initialConfiguration }: RestoredState): ConfigurationHistory {
    const history = new ConfigurationHistory(
      snapshot === undefined ? { index: 0, configuration: initialConfiguration } : snapshot,
    )
    const fromIndex = (snapshot?.index ?? 0) + 1
    history.appended(entries.filter(({ index }) => index >= fromIndex))
    return history
  }

  /** The one in use. */
  get newest(): Version {
    return this.#versions.at(-1) as Version
  }

  /** The one that the state at `index` stands under. `index` is not before the last that was pruned. */
  at(index: number): Configuration {
    const version = this.#versions.findLast((each) => each.index <= index)
    assert(version !== undefined, 'a configuration is kept until a newer one is applied', { index })
    return version.configuration
  }

  /**
   * Whether `id` votes in the newest configuration or, while it is not known to be committed, in one that may yet turn out to be in force: such a member may
   * still be needed to commit the one that is without it (thesis section 4.2.2).
   */
  mayStillVote(id: NodeId, commitIndex: number): boolean {
    const versions = this.#versions
    for (let at = versions.length - 1; at >= 0; at--) {
      const { index, configuration } = versions[at] as Version
      if (isVoterOf(configuration, id)) return true
      if (index <= commitIndex) return false
    }
    return false
  }

  /** Returns whether there was a configuration among the entries. */
  appended(entries: readonly Entry[]): boolean {
    let hasOne = false
    for (const entry of entries) {
      if (entry.kind !== 'configuration') continue
      this.#versions.push({ index: entry.index, configuration: decodeConfiguration(entry.data) })
      hasOne = true
    }
    return hasOne
  }

  /** The entries from `index` on are gone. Returns whether there was a configuration among them. */
  truncatedFrom(index: number): boolean {
    if (this.newest.index < index) return false
    this.#versions = this.#versions.filter((version) => version.index < index)
    assert(this.#versions.length > 0, 'an applied configuration is not overwritten', { index })
    return true
  }

  /** The log was replaced by a snapshot. */
  reset(version: Version): void {
    this.#versions = [version]
  }

  /** Everything up to `index` is applied: only the newest of what lies there is of use. */
  prune(index: number): void {
    if (this.#versions.length === 1) return
    const first = this.#versions.findLastIndex((version) => version.index <= index)
    if (first > 0) this.#versions.splice(0, first)
  }
}
