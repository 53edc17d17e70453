import type { Credentials } from '../../../access/access-control.ts'
import { AlthingError } from '../../../contracts/errors.ts'
import type { World } from '../../../contracts/world.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import type { GroupId } from '../../../replication/group-id.ts'
import type { Member } from '../../../replication/peer-transport.ts'
import type { StoreHost } from '../../local/store-host.ts'
import { LeaderLink } from '../leader-link.ts'
import type { AddressBook } from '../membership/address-book.ts'
import { ownGroupName } from './group-descriptor.ts'
import type { GroupDirectory } from './group-directory.ts'
import { ownGroup } from './group-hosts.ts'

/** A group as a client's connection to this node meets it. */
export interface ServedGroup {
  /** `undefined`: there is no such group. */
  id(): GroupId | undefined
  /** This node's copy. Throws `not-found` (there is no such group) or `unavailable` (other nodes have it: `details.members`). */
  host(): StoreHost
  /** Where the group is served. */
  members(): readonly Member[]
  /** Grows with each change of the members. */
  membersVersion(): number
  /** As far as this node knows; where it has no copy, the one that should lead. 0: unknown. */
  leader(): NodeId
  readonly link: LeaderLink
}

export interface ServedGroupsOptions {
  readonly world: World
  readonly clusterId: string
  readonly hosts: ReadonlyMap<GroupId, StoreHost>
  readonly directory: GroupDirectory
  readonly book: AddressBook
  /** What this node shows of itself to others. */
  credentials(): Credentials
}

/** The groups as this node serves them: its own copies, and the way to the others'. */
export class ServedGroups {
  readonly #options: ServedGroupsOptions
  readonly #own: ServedGroup
  readonly #named = new Map<string, ServedGroup>()

  constructor(options: ServedGroupsOptions) {
    this.#options = options
    const { hosts, book } = options
    this.#own = {
      id: () => ownGroup,
      host: () => hosts.get(ownGroup) ?? notStarted(),
      members: () => book.members,
      membersVersion: () => this.#configurationIndex,
      leader: () => hosts.get(ownGroup)?.group.leader ?? 0,
      link: this.#linkTo(undefined),
    }
  }

  get own(): ServedGroup {
    return this.#own
  }

  /** Without a name: the cluster's own. `undefined`: this node knows no group of that name. */
  find(name: string | undefined): ServedGroup | undefined {
    if (name === undefined || name === ownGroupName) return this.#own
    const known = this.#named.get(name)
    if (known !== undefined) return known
    if (this.#options.directory.named(name) === undefined) return undefined
    const group = this.#describe(name)
    this.#named.set(name, group)
    return group
  }

  /** Forgets the groups that are no more, and returns them. */
  prune(): ServedGroup[] {
    const gone = [...this.#named].filter(([, group]) => group.id() === undefined)
    for (const [name, { link }] of gone) {
      link.close()
      this.#named.delete(name)
    }
    return gone.map(([, group]) => group)
  }

  close(): void {
    this.#own.link.close()
    for (const { link } of this.#named.values()) link.close()
  }

  get #configurationIndex(): number {
    return this.#options.hosts.get(ownGroup)?.group.status().configurationIndex ?? 0
  }

  #describe(name: string): ServedGroup {
    const { hosts, directory, book } = this.#options
    const members = (): Member[] =>
      (directory.named(name)?.members ?? []).flatMap((id) => {
        const address = book.addressOf(id)
        return address === undefined ? [] : [{ id, address }]
      })
    return {
      id: () => directory.named(name)?.id,
      members,
      // Both only grow: where the copies are, and where their nodes listen.
      membersVersion: () => directory.revisionOf(name) + this.#configurationIndex,
      host: () => {
        const group = directory.named(name)
        if (group === undefined)
          throw new AlthingError('not-found', `there is no group ${name}`, { outcome: 'none' })
        const host = hosts.get(group.id)
        if (host === undefined) throw elsewhere(name, members())
        return host
      },
      leader: () => {
        const group = directory.named(name)
        if (group === undefined) return 0
        return hosts.get(group.id)?.group.leader ?? group.members[0] ?? 0
      },
      link: this.#linkTo(name),
    }
  }

  #linkTo(group: string | undefined): LeaderLink {
    const { world, clusterId, book, credentials } = this.#options
    const addressOf = (id: NodeId): string | undefined => book.addressOf(id)
    return new LeaderLink(world, {
      clusterId,
      addressOf,
      credentials,
      ...(group === undefined ? {} : { group }),
    })
  }
}

function elsewhere(name: string, members: readonly Member[]): AlthingError {
  const places = members.map(({ address }) => address)
  return new AlthingError('unavailable', `this node has no copy of group ${name}; ask ${places.join(', ')}`, {
    outcome: 'none',
    details: { members: places },
  })
}

function notStarted(): never {
  throw new AlthingError('unavailable', 'the node has not started yet', { outcome: 'none' })
}
