import { limitsOf, type StoreCapabilities } from '../../src/contracts/store.ts'
import { missingGuarantees } from '../../src/coordination/guarantees.ts'
import { recipes as coordinationRecipes } from '../../src/coordination/recipes.ts'
import { idRequirements } from '../../src/ids/id-service.ts'
import { type DeclaredSetUp, declaredSetUps } from '../../src/engines/declared-set-ups.ts'

const recipes = [...coordinationRecipes, idRequirements]

export const matrixStart = '<!-- from the declarations of the engines: npm run fix writes it -->'
export const matrixEnd = '<!-- end of what is written -->'

type Column = readonly [title: string, cell: (capabilities: StoreCapabilities) => string]

const shownDurability: Readonly<Record<StoreCapabilities['durability'], string>> = {
  memory: '**no**: memory',
  disk: 'disk of one server',
  'quorum-disk': 'disks of a majority',
}
const yes = (holds: boolean): string => (holds ? 'yes' : '**no**')

const guarantees: readonly Column[] = [
  ['`linearizable`', (of) => yes(of.linearizable)],
  ['`durable`', (of) => shownDurability[of.durability]],
  ['`lease-survives-failover`', (of) => yes(of.leaseSurvivesFailover)],
  ['`server-time`', (of) => yes(of.timeAuthority === 'server')],
  ['`fencing`', (of) => yes(of.fencing)],
  ['`watch-resume`', (of) => yes(of.watchResume)],
  ['a retry is applied once', (of) => yes(of.exactlyOnce)],
  ['a lease ends at most … late', (of) => `${of.leaseExpiryResolutionMs} ms`],
]

const bounds: readonly Column[] = [
  ['key', (of) => bytes(limitsOf(of).keyBytesMax)],
  ['value', (of) => bytes(limitsOf(of).valueBytesMax)],
  ['transaction', (of) => `${bytes(limitsOf(of).txnBytesMax)}, ${limitsOf(of).txnOperationsMax} operations`],
  ['lease, from', (of) => `${Math.max(limitsOf(of).leaseTtlMsMin, of.leaseTtlStepMs ?? 0)} ms`],
]

const carried: readonly Column[] = recipes.map((recipe) => [
  recipe.recipe,
  (capabilities) => {
    const missing = missingGuarantees(capabilities, recipe)
    return missing.length === 0 ? 'yes' : `lacks ${missing.map((name) => `\`${name}\``).join(', ')}`
  },
])

/** What the pages say of the engines, as the engines say it themselves. */
export function capabilityMatrix(setUps: readonly DeclaredSetUp[] = declaredSetUps): string {
  const needs = recipes.map(
    ({ recipe, needs: names }) => `- ${recipe}: ${names.map((name) => `\`${name}\``).join(', ')}`,
  )
  return [
    '### Guarantees',
    table(setUps, guarantees),
    '### Bounds',
    table(setUps, bounds),
    '### Recipes',
    'What each needs:',
    needs.join('\n'),
    'Where a recipe lacks something, it refuses to start ([`missing-guarantee`](../errors.md#missing-guarantee)) unless that is accepted by name:',
    table(setUps, carried),
  ].join('\n\n')
}

function table(setUps: readonly DeclaredSetUp[], columns: readonly Column[]): string {
  const titles = ['engine', ...columns.map(([title]) => title)]
  const rows = setUps.map(({ engine, setUp, capabilities }) => [
    setUp === '' ? engine : `${engine}, ${setUp}`,
    ...columns.map(([, cell]) => cell(capabilities)),
  ])
  return [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function bytes(value: number): string {
  return value >= 2 ** 20 && value % 2 ** 20 === 0
    ? `${value / 2 ** 20} MiB`
    : `${Math.floor(value / 1024)} KiB`
}
