import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { parseDurationMs } from '../base/duration.ts'
import { invalidArgument, isAlthingError } from '../contracts/errors.ts'
import { checkBank } from '../testing/checkers/bank.ts'
import { explainViolation } from '../testing/checkers/explain-violation.ts'
import { type CheckProgress, checkLinearizability } from '../testing/checkers/linearizability.ts'
import { modelByName, modelNames } from '../testing/checkers/models/by-name.ts'
import { checkSetFull } from '../testing/checkers/set-full.ts'
import { checkUniqueIds } from '../testing/checkers/unique-ids.ts'
import type { FindingsResult, Verdict } from '../testing/checkers/verdict.ts'
import type { Operation } from '../testing/history/operation.ts'
import { parseHistory } from '../testing/history/parse-history.ts'
import { NodeClock } from '../world/clock.ts'
import { registerCheckReplicasCommand } from './check-replicas-command.ts'

/** What `althing check` exits with. */
export const checkExitCodes = { ok: 0, violation: 1, badInput: 2, unknown: 3 } as const

/** Where the command writes and how it ends; the process itself unless a test gives another. */
export interface CheckTerminal {
  out(text: string): void
  error(text: string): void
  /** True where a line of progress is welcome. */
  readonly isInteractive: boolean
  exit(code: number): void
}

interface CheckOptions {
  readonly model: string
  readonly json?: boolean
  readonly timeout: string
  readonly svg?: string
}

interface Judgement {
  readonly verdict: Verdict
  /** For people. */
  readonly text: string
  /** For programs. */
  readonly json: Readonly<Record<string, unknown>>
  readonly svg?: string
}

const clock = new NodeClock()

const findingsCheckers: Readonly<Record<string, (operations: readonly Operation[]) => FindingsResult>> = {
  'set-full': (operations) => checkSetFull(operations),
  'unique-ids': (operations) => checkUniqueIds(operations),
  bank: (operations) => checkBank(operations),
}

/** Adds `check FILE --model NAME [--json] [--timeout 60s] [--svg OUT]`. */
export function registerCheckCommand(program: Command, terminal: CheckTerminal = processTerminal()): void {
  const names = [...modelNames, ...Object.keys(findingsCheckers)]
  const check: Command = program
    .command('check')
    .description(
      'judge a recorded history: is it linearizable, does it keep what its model promises? (`check replicas` compares the copies of a running cluster)',
    )
    .argument('<file>', 'history, one JSON event a line (docs/blocks/checker.md); - reads standard input')
    .option('--model <name>', `what the history is a history of: ${names.join(', ')}`)
    .option('--timeout <duration>', 'give up with the verdict unknown after this time', '60s')
    .option('--svg <file>', 'on a violation, draw the shortest failing part into this file')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExit code: 0 ok, 1 violation, 2 bad input, 3 unknown.')
    .action(async (file: string, options: Partial<CheckOptions> & Omit<CheckOptions, 'model'>) => {
      // Not required of `check replicas`, so it cannot be required of its parent.
      if (options.model === undefined) check.error("error: required option '--model <name>' not specified")
      terminal.exit(await runCheck(file, { ...options, model: options.model }, terminal))
    })
  registerCheckReplicasCommand(check)
}

/** The command itself; returns the exit code. */
export async function runCheck(
  file: string,
  options: CheckOptions,
  terminal: CheckTerminal,
): Promise<number> {
  try {
    const timeLimitMs = parseDurationMs(options.timeout)
    if (timeLimitMs === undefined)
      throw invalidArgument('--timeout', options.timeout, 'a duration such as 500ms or 60s')
    const judge = judgeOf(options.model, timeLimitMs, terminal)
    const judgement = judge(parseHistory(await readHistory(file)))
    if (options.svg !== undefined && judgement.svg !== undefined) await writeFile(options.svg, judgement.svg)
    terminal.out(options.json === true ? `${JSON.stringify(judgement.json)}\n` : judgement.text)
    return checkExitCodes[judgement.verdict]
  } catch (error) {
    if (!isAlthingError(error) && !isSystemError(error)) throw error
    const { message } = error
    if (options.json === true) terminal.out(`${JSON.stringify({ verdict: 'bad-input', error: message })}\n`)
    else terminal.error(`althing check: ${isSystemError(error) ? '' : `${file}: `}${message}\n`)
    return checkExitCodes.badInput
  }
}

/** What judges by the model of this name. Throws `invalid-argument` when there is none, before anything is read. */
function judgeOf(
  name: string,
  timeLimitMs: number,
  terminal: CheckTerminal,
): (operations: readonly Operation[]) => Judgement {
  const findingsOf = Object.hasOwn(findingsCheckers, name) ? findingsCheckers[name] : undefined
  if (findingsOf !== undefined) return (operations) => describeFindings(name, findingsOf(operations))
  const model = modelByName(name)
  if (model !== undefined)
    return (operations) => judgeLinearizability(name, model, operations, timeLimitMs, terminal)
  throw invalidArgument(
    '--model',
    name,
    `one of ${[...modelNames, ...Object.keys(findingsCheckers)].join(', ')}`,
  )
}

function judgeLinearizability(
  name: string,
  model: NonNullable<ReturnType<typeof modelByName>>,
  operations: readonly Operation[],
  timeLimitMs: number,
  terminal: CheckTerminal,
): Judgement {
  const onProgress = terminal.isInteractive ? createProgressLine(terminal) : undefined
  const result = checkLinearizability(model, operations, {
    clock,
    timeLimitMs,
    ...(onProgress === undefined ? {} : { onProgress }),
  })
  const { verdict, reason, parts, steps, elapsedMs, violation } = result
  const size = `${result.operations} operations in ${parts} parts, ${steps} steps, ${Math.round(elapsedMs)} ms`
  const json = { verdict, model: name, operations: result.operations, parts, steps, elapsedMs }
  if (violation === undefined) {
    const text = verdict === 'ok' ? `ok: linearizable (${size})\n` : `unknown: ${reason} (${size})\n`
    return { verdict, text, json: reason === undefined ? json : { ...json, reason } }
  }
  const { text, svg, ...explained } = explainViolation(model, violation, { clock })
  const { part } = violation
  const message = violation.message
  return {
    verdict,
    text: `violation: not linearizable (${size})\n${text}`,
    json: { ...json, violation: { part, message, ...explained } },
    svg,
  }
}

function describeFindings(name: string, result: FindingsResult): Judgement {
  const { verdict, findings, findingsCount } = result
  const lines = findings.map(({ guarantee, message }) => `  ${guarantee}: ${message}`)
  const more = findingsCount - findings.length
  if (more > 0) lines.push(`  … and ${more} more`)
  const head =
    verdict === 'ok' ? `ok: ${name} holds` : `violation: ${name} is broken, ${findingsCount} findings`
  return { verdict, text: `${[head, ...lines].join('\n')}\n`, json: { model: name, ...result } }
}

/** A line that is written over, from the first second on and then about once a second. */
function createProgressLine(terminal: CheckTerminal): (progress: CheckProgress) => void {
  let shownAt = clock.monotonicMs()
  return ({ partsDone, parts, steps }) => {
    if (clock.monotonicMs() - shownAt < 1000) return
    shownAt = clock.monotonicMs()
    terminal.error(`checking: ${partsDone} of ${parts} parts, ${steps} steps\n`)
  }
}

async function readHistory(file: string): Promise<string> {
  if (file !== '-') return readFile(file, 'utf8')
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}

/** A file that cannot be read, or is larger than a text can be. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string'
}

function processTerminal(): CheckTerminal {
  return {
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
    isInteractive: process.stderr.isTTY,
    exit(code) {
      process.exitCode = code
    },
  }
}
