import type { Command } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import { type ChordHash, createChordHash } from '../protocols/chord/identifiers.ts'
import { chordFaults, simulateChord } from '../testing/machines/simulate-chord.ts'
import { electionFaults, simulateElection } from '../testing/machines/simulate-election.ts'
import { NodeClock } from '../world/clock.ts'
import { wholeNumber } from './arguments.ts'
import { parseSeeds } from './seed-range.ts'
import type { SimTerminal } from './sim-command.ts'

export const machineNames = ['bully', 'ring', 'chord'] as const
export type MachineName = (typeof machineNames)[number]

export interface MachineSimOptions {
  readonly seeds: string
  readonly faults: string
  readonly nodes?: string
  readonly seconds?: string
  readonly stopOnFirst?: boolean
  readonly json?: boolean
}

interface MachineReport {
  readonly seed: number
  readonly nodes: number
  readonly violation?: string
  readonly virtualMs: number
  readonly messages: number
}

interface MachineRun {
  readonly seed: number
  readonly nodes?: number
  readonly seconds?: number
}

const clock = new NodeClock()
const nodesAllowed = { bully: [2, 100], ring: [2, 100], chord: [6, 24] } as const

/** Adds `sim bully`, `sim ring` and `sim chord`: the machines that run without processes or disks, on a simulated network of their own. */
export function registerMachineSims(sim: Command, terminal: SimTerminal): void {
  for (const machine of machineNames)
    sim
      .command(machine)
      .description(`simulate the machine ${machine}: one run for each seed`)
      .option('--seeds <range>', 'one seed, or FIRST..LAST', '1..100')
      .option('--faults <list>', `all, none, or of: ${faultsOf(machine).join(', ')}`, 'all')
      .option(
        '--nodes <number>',
        `nodes at the start, ${nodesAllowed[machine].join(' to ')} (default: drawn)`,
      )
      .option('--seconds <number>', 'virtual seconds under faults')
      .option('--stop-on-first', 'stop at the first seed that fails')
      .option('--json', 'print one JSON object')
      .addHelpText('after', '\nExit code: 0 all held, 1 something was broken.')
      .action(async (options: MachineSimOptions) => {
        process.exitCode = await runMachineSim(machine, options, terminal)
      })
}

/** The command itself; returns the exit code. */
export async function runMachineSim(
  machine: MachineName,
  options: MachineSimOptions,
  terminal: SimTerminal,
): Promise<number> {
  const { first, last } = parseSeeds(options.seeds)
  const shared = { ...nodesOf(machine, options.nodes), ...secondsOf(options.seconds) }
  const run = runnerOf(machine, options.faults, await createChordHash())
  const startedMs = clock.monotonicMs()
  const failed: MachineReport[] = []
  let [seeds, virtualMs, messages] = [0, 0, 0]
  for (let seed = first; seed <= last; seed++) {
    const report = run({ ...shared, seed })
    seeds += 1
    virtualMs += report.virtualMs
    messages += report.messages
    if (report.violation === undefined) continue
    failed.push(report)
    if (options.json !== true) terminal.out(describeFailure(report, replayOf(machine, options, seed)))
    if (options.stopOnFirst === true) break
  }
  const elapsedMs = clock.monotonicMs() - startedMs
  const replay = failed.map(({ seed }) => replayOf(machine, options, seed))
  if (options.json === true)
    terminal.out(`${JSON.stringify({ seeds, failed, virtualMs, messages, elapsedMs, replay })}\n`)
  else terminal.out(describeSummary({ seeds, virtualMs, messages, elapsedMs }, failed))
  return failed.length === 0 ? 0 : 1
}

function faultsOf(machine: MachineName): readonly string[] {
  return machine === 'chord' ? chordFaults : electionFaults
}

function runnerOf(machine: MachineName, faults: string, hash: ChordHash): (run: MachineRun) => MachineReport {
  if (machine === 'chord') {
    const chosen = parseFaults(faults, chordFaults)
    return (run) => simulateChord({ ...run, hash, faults: chosen })
  }
  const chosen = parseFaults(faults, electionFaults)
  return (run) => simulateElection({ ...run, algorithm: machine, faults: chosen })
}

function parseFaults<Fault extends string>(text: string, known: readonly Fault[]): readonly Fault[] {
  if (text === 'all') return known
  if (text === 'none') return []
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !(known as readonly string[]).includes(name))
  if (unknown !== undefined)
    throw invalidArgument('--faults', unknown, `'all', 'none', or a list of: ${known.join(', ')}`)
  return known.filter((name) => names.includes(name))
}

function nodesOf(machine: MachineName, text: string | undefined): { readonly nodes?: number } {
  if (text === undefined) return {}
  const nodes = wholeNumber('--nodes', text)
  const [least, most] = nodesAllowed[machine]
  if (nodes < least || nodes > most) throw invalidArgument('--nodes', nodes, `${least} to ${most}`)
  return { nodes }
}

function secondsOf(text: string | undefined): { readonly seconds?: number } {
  return text === undefined ? {} : { seconds: wholeNumber('--seconds', text) }
}

/** What was drawn hangs on every option that the run was given. */
function replayOf(machine: MachineName, { faults, nodes, seconds }: MachineSimOptions, seed: number): string {
  const more = [
    ...(nodes === undefined ? [] : [`--nodes ${nodes}`]),
    ...(seconds === undefined ? [] : [`--seconds ${seconds}`]),
  ]
  return [`npx althing sim ${machine} --seeds ${seed} --faults ${faults}`, ...more].join(' ')
}

function describeFailure({ seed, nodes, violation }: MachineReport, replay: string): string {
  return `seed ${seed} fails, ${nodes} nodes\n  ${violation}\n  replay: ${replay}\n\n`
}

function describeSummary(
  sum: {
    readonly seeds: number
    readonly virtualMs: number
    readonly messages: number
    readonly elapsedMs: number
  },
  failed: readonly MachineReport[],
): string {
  const hours = (sum.virtualMs / 3_600_000).toFixed(2)
  const verdict =
    failed.length === 0
      ? 'all that is promised held'
      : `${failed.length} seeds failed: ${failed.map(({ seed }) => seed).join(', ')}`
  return `${sum.seeds} seeds in ${(sum.elapsedMs / 1000).toFixed(1)} s: ${hours} simulated hours, ${sum.messages} messages\n${verdict}\n`
}
