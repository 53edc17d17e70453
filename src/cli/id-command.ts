import { type Command, Option } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import { type Guarantee, guarantees } from '../coordination/guarantees.ts'
import { type IdExplanation, explainId } from '../ids/explain-id.ts'
import { Uuids } from '../ids/uuids.ts'
import { wholeNumber } from './arguments.ts'
import { formatTime } from './format-time.ts'
import { print } from './output.ts'
import { commandWorld, type TargetOptions, withStore, withTargetOptions } from './target.ts'

const kinds = ['snowflake', 'segment', 'uuid-v7', 'uuid-v4', 'ulid'] as const
const countMax = 1_000_000
type Kind = (typeof kinds)[number]

interface NewOptions extends TargetOptions {
  readonly kind: Kind
  readonly count: string
  readonly name: string
  readonly accept?: readonly Guarantee[]
}

interface ExplainOptions extends TargetOptions {
  readonly name: string
  readonly offline?: boolean
}

/** `althing id new`, `althing id explain ID` */
export function registerIdCommand(program: Command): void {
  const id = program.command('id').description('new ids, and what an id says of itself')
  withTargetOptions(
    id.command('new').description('prints new ids, one a line; UUIDs and ULIDs need no store'),
  )
    .addOption(new Option('--kind <kind>', 'what kind').choices(kinds).default('snowflake'))
    .option('--count <n>', 'how many: up to 1,000,000', '1')
    .option('--name <name>', 'namespace of snowflakes, tag of segments', 'default')
    .addOption(
      new Option('--accept <guarantee...>', 'a guarantee that the store need not give').choices(guarantees),
    )
    .action(newIds)
  withTargetOptions(
    id
      .command('explain')
      .argument('<id>', 'a snowflake, a UUID or a ULID: told by its form')
      .description('its kind, time and parts, and who held the worker id of a snowflake then'),
  )
    .option('--name <name>', 'namespace of the snowflake', 'default')
    .option('--offline', 'without the store: in the default layout, and without the holder')
    .action(explain)
}

async function newIds(options: NewOptions): Promise<void> {
  const ids = await generate(options)
  await print(options.json, ids, `${ids.join('\n')}\n`)
}

async function generate(options: NewOptions): Promise<readonly string[]> {
  const { kind, name, accept } = options
  const count = wholeNumber('--count', options.count)
  if (count > countMax) throw invalidArgument('--count', count, `at most ${countMax}`)
  if (kind === 'uuid-v7' || kind === 'uuid-v4' || kind === 'ulid') {
    const uuids = new Uuids(commandWorld())
    const makers = { 'uuid-v7': () => uuids.v7(), 'uuid-v4': () => uuids.v4(), ulid: () => uuids.ulid() }
    return Array.from({ length: count }, makers[kind])
  }
  const openOptions = accept === undefined ? {} : { accept }
  return await withStore(
    options,
    async ({ ids }) => {
      const source = kind === 'snowflake' ? await ids.snowflake(name) : ids.segment(name)
      const made: string[] = []
      while (made.length < count) made.push(String(await source.nextAsync({ timeout: '30s' })))
      return made
    },
    openOptions,
  )
}

async function explain(id: string, options: ExplainOptions): Promise<void> {
  // Only a number can be a snowflake: the others are told without a store.
  const isLocal = options.offline === true || !/^\d+$/.test(id)
  const explanation = isLocal
    ? explainId(id)
    : await withStore(options, ({ ids }) => ids.explain(id, { namespace: options.name }), {
        accept: guarantees,
      })
  await print(options.json, explanation, formatExplanation(explanation))
}

function formatExplanation(explanation: IdExplanation): string {
  const lines: [string, string][] = [['kind', explanation.kind]]
  if (explanation.kind === 'uuid') {
    lines.push(['version', String(explanation.version)], ['variant', explanation.variant])
  }
  if (explanation.timeMs !== undefined) lines.push(['time', timeText(explanation.timeMs)])
  if (explanation.kind === 'snowflake') {
    const { datacentre, worker, sequence, holder } = explanation
    lines.push(['datacentre', String(datacentre)], ['worker', String(worker)], ['sequence', String(sequence)])
    if (holder !== undefined) {
      lines.push(['held by', holder.label])
      lines.push(['', `from ${timeText(holder.fromMs)} until ${timeText(holder.untilMs)}`])
    } else lines.push(['held by', 'not known'])
  }
  return lines.map(([name, value]) => `${name.padEnd(11)} ${value}\n`).join('')
}

function timeText(ms: number): string {
  const thousandths = String(ms % 1_000).padStart(3, '0')
  return `${formatTime(ms).slice(0, -1)}.${thousandths}Z`
}
