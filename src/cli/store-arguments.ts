import type { Command } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import type { NodeServerOptions } from '../node/node-server.ts'
import { quotaSize, durationMs, wholeNumber } from './arguments.ts'

/** The bounds of the stores of which a node has copies, as a command takes them. */
export interface StoreArguments {
  readonly quota?: string
  readonly keep?: string
  readonly keepRevisions?: string
  readonly snapshotEntries?: string
  readonly leasesMax?: string
  readonly leaseReads?: string
}

export function withStoreOptions(command: Command): Command {
  return command
    .option(
      '--quota <size>',
      'size of a store past which it takes no growth, unless `althing quota` has set another (default: 2GiB)',
    )
    .option('--keep <duration>', 'for how long older revisions are kept (default: 1h)')
    .option('--keep-revisions <number>', 'how many older revisions are kept (default: 25000)')
    .option(
      '--snapshot-entries <number>',
      "length of a store's log in memory and on disk past which it is cut, but for the last 10000 (default: 100000, or 64MiB)",
    )
    .option('--leases-max <number>', 'leases of a store at a time (default: 200000)')
    .option(
      '--lease-reads <share>',
      'serve reads under a lease, where no two clocks differ in rate by more than this share, such as 0.1; the same on all nodes (default: no leases)',
    )
}

type StoreSettings = Pick<NodeServerOptions, 'store' | 'keepRevisions' | 'snapshotEntries' | 'leaseDriftMax'>

export function storeFrom(given: StoreArguments): StoreSettings {
  const { quota, keep, keepRevisions, snapshotEntries, leasesMax, leaseReads } = given
  const bounds = {
    ...(quota === undefined ? {} : { quotaBytes: quotaSize('--quota', quota) }),
    ...(leasesMax === undefined ? {} : { leasesMax: wholeNumber('--leases-max', leasesMax) }),
  }
  const store = { bounds, ...(keep === undefined ? {} : { keepMs: durationMs('--keep', keep) }) }
  return {
    store,
    ...(keepRevisions === undefined ? {} : { keepRevisions: wholeNumber('--keep-revisions', keepRevisions) }),
    ...(snapshotEntries === undefined
      ? {}
      : { snapshotEntries: wholeNumber('--snapshot-entries', snapshotEntries) }),
    ...(leaseReads === undefined ? {} : { leaseDriftMax: driftFrom(leaseReads) }),
  }
}

function driftFrom(text: string): number {
  const share = Number(text)
  if (!(share > 0 && share < 1)) throw invalidArgument('--lease-reads', text, 'a number between 0 and 1')
  return share
}
