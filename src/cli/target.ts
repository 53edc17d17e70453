import { withoutCredentials } from '../base/url-text.ts'
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import { type Althing, open, type OpenOptions } from '../node/althing.ts'
import { tlsOf } from '../node/client-security.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { isRefusal } from './refusal.ts'
import { openNode } from './open-node.ts'
import { withSlowProgress } from './progress.ts'

/** What every command that talks to a store takes. */
export interface TargetOptions {
  readonly url?: string
  readonly json?: boolean
}

type StoreOptions = Pick<OpenOptions, 'accept' | 'configKeys'>

/** Clusters that `althing up` and `althing demo` leave word of, in the current folder. */
const clusterFiles = ['./data/up/cluster.json', './data/demo/cluster.json']
const usualAddress = '127.0.0.1:7400'

export function withTargetOptions(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'the store: althing://HOST:PORT,HOST:PORT (or $ALTHING_URL; default: a cluster of this folder)',
    )
    .option('--json', 'print JSON')
}

/** A world for a command: only what is wrong is worth a line. */
export function commandWorld(): World {
  const tls = tlsOf({})
  const options = { dataFolder: '.', logger: new NodeLogger('warn') }
  return createNodeWorld(tls === undefined ? options : { ...options, tls })
}

/** The URL asked for, that of the environment, or that of a cluster of this folder which answers. Rejects with `unavailable`. */
export async function targetUrl(world: World, options: TargetOptions): Promise<string> {
  const given = options.url ?? process.env['ALTHING_URL']
  if (given !== undefined && given !== '') return given
  const candidates = [...clusterFiles.flatMap(addressesIn), [usualAddress]]
  for (const addresses of candidates)
    if (await answers(world, addresses)) return `althing://${addresses.join(',')}`
  throw new AlthingError(
    'unavailable',
    'no cluster of this folder answers: start one (althing up, althing dev), or name one with --url or ALTHING_URL',
  )
}

/** Opens the store, does the work, and closes it, whatever comes of it. Says so when it takes longer than a second. */
export async function withStore<T>(
  options: TargetOptions,
  work: (althing: Althing, url: string) => Promise<T>,
  openOptions: StoreOptions = {},
): Promise<T> {
  const world = commandWorld()
  const opened = async (): Promise<{ althing: Althing; url: string }> => {
    const url = await targetUrl(world, options)
    return { althing: await openStore(url, world, openOptions), url }
  }
  const isShown = options.json !== true
  const { althing, url } = await withSlowProgress(world.timers, 'Looking for the store', isShown, opened)
  try {
    return await work(althing, url)
  } finally {
    await althing.close()
  }
}

/** A folder is opened in a world of its own: that of the command is the current folder. */
export function openStore(url: string, world: World, options: StoreOptions = {}): Promise<Althing> {
  return open(url, url.startsWith('file:') ? options : { ...options, world })
}

/** The addresses of the nodes in an `althing://` URL. Throws `invalid-argument` for that of another engine. */
export function addressesOf(url: string): readonly string[] {
  if (!url.startsWith('althing://'))
    throw invalidArgument(
      'url',
      withoutCredentials(url),
      'that of a cluster here: althing://HOST:PORT,HOST:PORT',
    )
  return url.slice('althing://'.length).replace(/\/.*$/, '').split(',')
}

function addressesIn(file: string): string[][] {
  try {
    const places = JSON.parse(readFileSync(file, 'utf8')) as { readonly address: string }[]
    return [places.map(({ address }) => address)]
  } catch {
    return []
  }
}

/** A node that refuses the caller is there too: what it says of the refusal is worth more than that nobody answers. */
async function answers(world: World, addresses: readonly string[]): Promise<boolean> {
  const ask = async (address: string): Promise<boolean> => {
    try {
      const client = await openNode(world, address, { timeoutMs: 1_000 })
      await client.status().finally(() => client.close())
      return true
    } catch (error) {
      return isRefusal(error)
    }
  }
  return (await Promise.all(addresses.map(ask))).includes(true)
}
