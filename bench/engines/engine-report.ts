import { type Figure, ratioOf } from '../figure.ts'
import { formatNumber, formatTable } from '../report.ts'
import { spreadOf } from '../statistics.ts'

interface EngineFigures {
  readonly engine: string
  readonly figures: readonly Figure[]
}

/** One column for each engine: first what our layer does, then, as a ratio, what it does for each thing that the bare client does. */
export function tableOfEngines(engines: readonly EngineFigures[]): string {
  const ours = rowsOf(engines, isOurs, (figure) => formatNumber(spreadOf(figure.ours).median))
  const ratios = rowsOf(
    engines,
    ({ peer }) => peer.length > 0,
    (figure) => ratioOf(figure)?.toFixed(2) ?? '-',
  ).map(([name, _unit, ...cells]) => [
    `${name}${name?.includes('beside') ? '' : ', beside bare'}`,
    'ratio',
    ...cells,
  ])
  return formatTable(['', '', ...engines.map(({ engine }) => engine)], [...ours, ...ratios])
}

/** The same values of ours stand in the figures of every bare client. */
function isOurs({ name }: Figure): boolean {
  return !name.includes('beside')
}

function rowsOf(
  engines: readonly EngineFigures[],
  isWanted: (figure: Figure) => boolean,
  format: (figure: Figure) => string,
): string[][] {
  const wanted = engines.flatMap(({ figures }) => figures.filter(isWanted))
  const units = new Map(wanted.map(({ name, unit }) => [name, unit]))
  return [...units].map(([name, unit]) => [
    name,
    unit,
    ...engines.map(({ figures }) => {
      const found = figures.find((figure) => figure.name === name && isWanted(figure))
      return found === undefined ? '-' : format(found)
    }),
  ])
}
