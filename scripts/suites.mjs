// The vitest suites, in the order of their cost. `npm run test:NAME` runs one of them.
import { filesBelow } from './tree.mjs'

const oneAtATime = ['--no-file-parallelism']
/** On two cores vitest would run one file at a time; these wait for much of their time, or are many. */
const twoAtATime = ['--maxWorkers=2']

const all = [
  { name: 'unit', args: ['--project', 'unit', ...twoAtATime], holds: () => true },
  {
    name: 'conformance',
    args: ['--project', 'conformance', ...twoAtATime],
    holds: below('test/conformance', '.test.ts'),
  },
  {
    name: 'recipes',
    args: ['--project', 'recipes', ...twoAtATime],
    holds: below('test/recipes', '.test.ts'),
  },
  {
    name: 'simulation',
    args: ['--project', 'simulation', ...twoAtATime],
    holds: below('test/simulation', '.test.ts'),
  },
  {
    name: 'processes',
    args: ['--project', 'processes', ...twoAtATime],
    holds: (file) => below('test/processes', '.test.ts')(file) || below('bench', '.processes.test.ts')(file),
  },
  {
    name: 'browser',
    args: ['--project', 'browser', ...oneAtATime],
    holds: below('test/browser', '.test.ts'),
  },
]

/** Those that have a test. */
export function suites() {
  const files = [...filesBelow('test'), ...filesBelow('bench')]
  return all.filter((suite) => suite.name === 'unit' || files.some(suite.holds))
}

/** Most of the time of these is waiting for servers, and for leases to end: in a whole run they run at the same time. */
const waiting = ['conformance', 'recipes']

/** What of `suites` runs at the same time, one group after the other. */
export function inGroups(suites) {
  const groups = suites.filter(({ name }) => !waiting.includes(name)).map((suite) => [suite])
  const together = suites.filter(({ name }) => waiting.includes(name))
  return together.length === 0 ? groups : [...groups, together]
}

/** The unit tests as they are run on another runtime. */
export const unitOnOtherRuntime = { args: ['--project', 'other-runtime', ...twoAtATime] }

function below(folder, ending) {
  return (file) => file.startsWith(`${folder}/`) && file.endsWith(ending)
}
