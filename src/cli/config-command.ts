import { userInfo } from 'node:os'
import type { Command } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import type { ConfigService } from '../coordination/config/config.ts'
import type { ConfigDocument } from '../coordination/config/config-types.ts'
import type { ReleaseRequest } from '../coordination/config/config-steps.ts'
import { newMasterKey } from '../coordination/config/secret-box.ts'
import { NodeRandom } from '../world/random.ts'
import { wholeNumber } from './arguments.ts'
import {
  formatDifferences,
  formatDocument,
  formatHistory,
  formatInstances,
  formatScopes,
} from './format-config.ts'
import { print } from './output.ts'
import { readInput } from './read-input.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

interface ConfigOptions extends TargetOptions {
  readonly keys?: string
  readonly reveal?: boolean
  readonly instance?: string
  readonly limit?: string
}

interface WriteOptions extends ConfigOptions {
  readonly author?: string
  readonly message?: string
  readonly expect?: string
  readonly share?: string
  readonly match?: readonly string[]
  readonly secret?: readonly string[]
}

const scopeHelp = "the service, or '*' for what all services share"
const valueCharsMax = 1024 * 1024

/** `althing config …` */
export function registerConfigCommand(program: Command): void {
  const config = program.command('config').description('settings of services: versions, releases, secrets')
  registerReads(config)
  registerWrites(config)
  registerReleases(config)
  registerKeys(config)
}

function registerReads(config: Command): void {
  read(config.command('list').description('every configuration')).action((options: ConfigOptions) =>
    run(options, (service) => service.list(), formatScopes),
  )
  read(
    config
      .command('get')
      .argument('<scope>', scopeHelp)
      .argument('[key]', 'this value only')
      .description('a configuration as it stands; secrets only with --reveal, where their key is'),
  )
    .option('--reveal', 'show secrets')
    .action(get)
  read(
    config
      .command('history')
      .argument('<scope>', scopeHelp)
      .description('who made which version, when and why'),
  )
    .option('--limit <number>', 'versions', '20')
    .action((scope: string, options: ConfigOptions) =>
      run(
        options,
        (service) => service.history(scope, { limit: wholeNumber('--limit', options.limit ?? '20') }),
        formatHistory,
      ),
    )
  read(
    config
      .command('diff')
      .argument('<scope>', scopeHelp)
      .argument('<from>', 'a version; 0 is the empty one')
      .argument('<to>', 'a version')
      .description('what changes from one version to another'),
  )
    .option('--reveal', 'show secrets')
    .action((scope: string, from: string, to: string, options: ConfigOptions) =>
      run(
        options,
        (service) =>
          service.diff(scope, wholeNumber('from', from), wholeNumber('to', to), {
            reveal: options.reveal === true,
          }),
        formatDifferences,
      ),
    )
  read(
    config
      .command('instances')
      .argument('<scope>', scopeHelp)
      .description('which instance runs which version'),
  ).action((scope: string, options: ConfigOptions) =>
    run(options, (service) => service.instances(scope), formatInstances),
  )
}

function registerWrites(config: Command): void {
  written(
    config
      .command('set')
      .argument('<scope>', scopeHelp)
      .argument('<values...>', 'KEY=JSON, or KEY=TEXT; KEY=@FILE reads a file')
      .description('make a version with these values, all at once'),
  )
    .option('--secret <key...>', 'values to seal')
    .action(set)
  written(
    config
      .command('unset')
      .argument('<scope>', scopeHelp)
      .argument('<keys...>', 'keys')
      .description('make a version without these values'),
  ).action((scope: string, unset: string[], options: WriteOptions) =>
    change(options, (service) => service.change(scope, { unset, ...instanceOf(options) }, writeOf(options))),
  )
  written(
    config
      .command('rollback')
      .argument('<scope>', scopeHelp)
      .argument('<version>', 'the version to restore')
      .description('make a version with exactly the values of an older one'),
  ).action((scope: string, version: string, options: WriteOptions) =>
    change(options, (service) => service.rollback(scope, wholeNumber('version', version), writeOf(options))),
  )
  signed(
    config
      .command('schema')
      .argument('<scope>', scopeHelp)
      .argument('<schema>', 'a JSON Schema, @FILE, - for standard input; none takes it away')
      .description('store a schema that values must fit'),
  ).action(setSchema)
}

function registerReleases(config: Command): void {
  written(
    config
      .command('release')
      .argument('<scope>', scopeHelp)
      .description('give the staged version to more instances: --share, --match'),
  ).action((scope: string, options: WriteOptions) =>
    change(options, (service) => service.release(scope, releaseOf(options) ?? {}, writeOf(options))),
  )
  signed(
    config.command('promote').argument('<scope>', scopeHelp).description('give the staged version to all'),
  ).action((scope: string, options: WriteOptions) =>
    change(options, (service) => service.promote(scope, writeOf(options))),
  )
  signed(
    config.command('abort').argument('<scope>', scopeHelp).description('take the staged version back'),
  ).action((scope: string, options: WriteOptions) =>
    change(options, (service) => service.abort(scope, writeOf(options))),
  )
}

function registerKeys(config: Command): void {
  read(
    config
      .command('rotate-keys')
      .argument('[scope]', scopeHelp)
      .description('seal all secrets anew with the first key, those of the history too'),
  ).action((scope: string | undefined, options: ConfigOptions) =>
    run(
      options,
      (service) => service.rotateKeys(scope === undefined ? {} : { scope }),
      ({ resealed, unchanged }) => `${resealed} sealed anew, ${unchanged} had been\n`,
    ),
  )
  config
    .command('new-key')
    .argument('<id>', 'its name')
    .description('print a new key for secrets: a line for the file of keys')
    .action((id: string) => print(false, null, `${newMasterKey(id, new NodeRandom())}\n`))
}

function read(command: Command): Command {
  return withTargetOptions(command).option('--keys <file>', 'keys for secrets (or $ALTHING_CONFIG_KEYS_FILE)')
}

function signed(command: Command): Command {
  return read(command)
    .option('--author <name>', 'who does it (default: the user of this machine)')
    .option('--message <text>', 'why')
    .option('--expect <version>', 'only if this is the newest version')
}

function written(command: Command): Command {
  return signed(command)
    .option('--instance <id>', 'the values of this instance')
    .option('--share <percent>', 'stage the version: for this share of the instances')
    .option('--match <label...>', 'stage the version: for instances with these labels, NAME=VALUE')
}

async function get(scope: string, key: string | undefined, options: ConfigOptions): Promise<void> {
  const shown = { reveal: options.reveal === true }
  if (key === undefined) return run(options, (service) => service.get(scope, shown), formatDocument)
  await run(
    options,
    async (service) => {
      const { stable } = await service.get(scope, shown)
      const value = Object.hasOwn(stable.values, key) ? stable.values[key] : undefined
      if (value === undefined)
        throw invalidArgument('key', key, `of ${Object.keys(stable.values).join(', ')}`)
      return value
    },
    (value) => ('value' in value ? `${JSON.stringify(value.value)}\n` : `(secret, key ${value.key})\n`),
  )
}

async function set(scope: string, given: readonly string[], options: WriteOptions): Promise<void> {
  const entries = await Promise.all(given.map(valueFrom))
  const secret = options.secret === undefined ? {} : { secret: options.secret }
  await change(options, (service) =>
    service.change(
      scope,
      { set: Object.fromEntries(entries), ...instanceOf(options), ...secret },
      writeOf(options),
    ),
  )
}

/** What is JSON is that value, all else a text. */
async function valueFrom(given: string): Promise<readonly [string, unknown]> {
  const sign = given.indexOf('=')
  if (sign <= 0) throw invalidArgument('value', given, 'KEY=VALUE')
  const text = Buffer.from(await readInput(given.slice(sign + 1), valueCharsMax)).toString('utf8')
  try {
    return [given.slice(0, sign), JSON.parse(text) as unknown]
  } catch {
    return [given.slice(0, sign), text]
  }
}

async function setSchema(scope: string, given: string, options: WriteOptions): Promise<void> {
  const text =
    given === 'none' ? undefined : Buffer.from(await readInput(given, valueCharsMax)).toString('utf8')
  let schema: unknown
  try {
    schema = text === undefined ? undefined : JSON.parse(text)
  } catch {
    throw invalidArgument('schema', given, 'JSON')
  }
  await change(options, (service) => service.setSchema(scope, schema as never, writeOf(options)))
}

function writeOf(options: WriteOptions) {
  const { author, message, expect } = options
  const release = releaseOf(options)
  return {
    author: author ?? userInfo().username,
    ...(message === undefined ? {} : { message }),
    ...(expect === undefined ? {} : { expectedVersion: wholeNumber('--expect', expect) }),
    ...(release === undefined ? {} : { release }),
  }
}

function releaseOf({ share, match }: WriteOptions): ReleaseRequest | undefined {
  if (share === undefined && match === undefined) return undefined
  const labels = match?.map((label) => {
    const sign = label.indexOf('=')
    if (sign <= 0) throw invalidArgument('--match', label, 'NAME=VALUE')
    return [label.slice(0, sign), label.slice(sign + 1)] as const
  })
  return {
    ...(share === undefined ? {} : { share: Number(share) }),
    ...(labels === undefined ? {} : { match: Object.fromEntries(labels) }),
  }
}

function instanceOf({ instance }: ConfigOptions): { readonly instance?: string } {
  return instance === undefined ? {} : { instance }
}

async function change(
  options: WriteOptions,
  work: (service: ConfigService) => Promise<ConfigDocument>,
): Promise<void> {
  await run(options, work, ({ latest, staged }) =>
    staged === undefined
      ? `version ${latest}\n`
      : `version ${latest}, staged for ${staged.share} % of the instances\n`,
  )
}

async function run<T>(
  options: ConfigOptions,
  work: (service: ConfigService) => Promise<T>,
  format: (result: T) => string,
): Promise<void> {
  const opened = options.keys === undefined ? {} : { configKeys: options.keys }
  await withStore(
    options,
    async ({ config }) => {
      const result = await work(config)
      await print(options.json, result, format(result))
    },
    opened,
  )
}
