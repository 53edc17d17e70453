import { parseArgs } from 'node:util'
import { setTimeout as wait } from 'node:timers/promises'
import { Pool } from 'undici'
import { AgentPlan, Popularity } from './agent-plan.ts'
import { Corpus } from './corpus.ts'
import { limits } from './limits.ts'
import { LoadAgent } from './load-agent.ts'
import { LoadReport, renderSummary } from './load-report.ts'
import { SeededRandom } from './seeded-random.ts'

const usage = `Agora's load: N agents with real connections and real text, through the gateway.

  --url URL         of the gateway, such as http://127.0.0.1:7480
  --agents N        1..20000, default 1000
  --seconds S       default 30; 0 runs until it is told to stop
  --pause MS        mean time between an agent's actions, default 5000
  --join-rate N     agents that come each second, default 200
  --prefix TEXT     of the agents' handles; default from the seed, so that the same seed continues as the same agents
  --seed N          default 1
  --json            the summary as one JSON object on the last line, and no line each second
`

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    agents: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '30' },
    pause: { type: 'string', default: '5000' },
    'join-rate': { type: 'string', default: '200' },
    prefix: { type: 'string' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  process.stdout.write(usage)
  process.exit(0)
}
const url = URL.canParse(values.url) ? new URL(values.url).origin : fail(`--url ${values.url} is no URL`)
const agents = numberOf('agents', 1, 20_000)
const seconds = numberOf('seconds', 0, 1_000_000)
const meanPauseMs = numberOf('pause', 1, 3_600_000)
const joinRate = numberOf('join-rate', 1, 10_000)
const seed = numberOf('seed', 0, 2 ** 32 - 1)
const prefix = values.prefix ?? `s${seed}-`

const corpus = await Corpus.load()
const report = new LoadReport()
const popularity = new Popularity()
const stop = new AbortController()
const dispatcher = new Pool(url, { connections: Math.min(agents, 256), pipelining: 1, connectTimeout: 5_000 })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())

let connectedAtEnd = 0
stop.signal.addEventListener('abort', () => {
  connectedAtEnd = report.connected
})

const begunMs = performance.now()
const elapsed = (): number => (performance.now() - begunMs) / 1_000
const ticker = setInterval(() => {
  if (!values.json) process.stdout.write(`${report.line(Math.round(elapsed()))}\n`)
}, 1_000)
const deadline = seconds === 0 ? undefined : setTimeout(() => stop.abort(), seconds * 1_000)

await Promise.all(Array.from({ length: agents }, (_, i) => play(i)))

clearInterval(ticker)
clearTimeout(deadline)
const summary = report.summary({ agents, connected: connectedAtEnd, seconds: elapsed() })
await dispatcher.destroy()
process.stdout.write(values.json ? `${JSON.stringify(summary)}\n` : `\n${renderSummary(summary)}\n`)
process.exit(summary.requests > 0 && summary.errorShare < 1 ? 0 : 1)

async function play(index: number): Promise<void> {
  const handle = `${prefix}${index}`
  const random = new SeededRandom(seed * 1_000_003 + index)
  await wait((index / joinRate) * 1_000, undefined, { signal: stop.signal }).catch(() => {})
  const agent = new LoadAgent({
    handle,
    token: `agora-load-token-${handle}`,
    url,
    dispatcher,
    corpus,
    random,
    plan: new AgentPlan(handle, random, popularity, { meanPauseMs, followsMax: limits.followsMax }),
    report,
    signal: stop.signal,
  })
  if (stop.signal.aborted || !(await agent.register())) return
  popularity.joined(handle)
  await agent.run()
}

function numberOf(
  name: 'agents' | 'seconds' | 'pause' | 'join-rate' | 'seed',
  min: number,
  max: number,
): number {
  const value = Number(values[name])
  if (!Number.isFinite(value) || value < min || value > max)
    fail(`--${name} ${values[name]} is not in ${min}..${max}`)
  return value
}

function fail(problem: string): never {
  process.stderr.write(`${problem}\n\n${usage}`)
  process.exit(2)
}
