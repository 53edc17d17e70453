import { parseArgs } from 'node:util'
import { setTimeout as wait } from 'node:timers/promises'
import { open } from './althing.ts'
import { WorkerServer } from './worker-server.ts'

const usage = `Agora's worker: serves agents over HTTP and WebSocket, from a store of Althing's.

  --store URL        where the store is, such as althing://127.0.0.1:7400 (or $AGORA_STORE)
  --id NAME          name of this worker among the others; default drawn at random
  --listen HOST:PORT default 127.0.0.1:0, a free port
  --service NAME     name in discovery; default agora
`

/** Time for the gateways to hear that this worker is draining, before it closes anything. */
const noticeMs = 1_000
const spreadMs = 1_000
const finishMs = 10_000

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: process.env.AGORA_STORE ?? '' },
    id: { type: 'string' },
    listen: { type: 'string', default: '127.0.0.1:0' },
    service: { type: 'string', default: 'agora' },
    help: { type: 'boolean', default: false },
  },
})
const listen = /^([^:\s]+):(\d{1,5})$/.exec(values.listen)
if (values.help || values.store === '' || listen === null) {
  const problem = values.store === '' ? '--store is missing' : `--listen ${values.listen} is not HOST:PORT`
  process.stderr.write(values.help ? usage : `${problem}\n\n${usage}`)
  process.exit(values.help ? 0 : 2)
}

const say = (event: string, fields: object = {}): void => {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
}
const host = listen[1] as string
const id = values.id ?? `agora-${process.pid}`
const althing = await open(values.store)
const worker = await WorkerServer.start({
  store: althing.raw,
  id,
  host,
  port: Number(listen[2]),
  logError: (error) => process.stderr.write(`${JSON.stringify({ event: 'error', error: String(error) })}\n`),
})
const address = `${host}:${worker.port}`
// A process of the same name that crashed has left its entry: it is replaced. If that one lives after all, it hears of it and stops.
const registration = await althing.discovery.register({
  service: values.service,
  id,
  address,
  ttl: '10s',
  takeOver: true,
})
registration.lost.addEventListener('abort', () => void stop(`registration lost: ${registration.lost.reason}`))
say('ready', { id, address, service: values.service, pid: process.pid })

let isStopping = false
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop(signal))

async function stop(cause: string): Promise<void> {
  if (isStopping) return
  isStopping = true
  say('draining', { id, cause })
  worker.beginDrain()
  // Without the store the gateways hear of the end by the refused connections; the agents are told goodbye all the same.
  const problems: string[] = []
  const attempt = (step: Promise<void>): Promise<void> =>
    step.catch((error: unknown) => void problems.push(String(error)))
  await attempt(registration.drain())
  await wait(noticeMs)
  await attempt(worker.close({ spreadMs, withinMs: finishMs }))
  await attempt(registration.deregister())
  await attempt(althing.close())
  say('stopped', problems.length === 0 ? { id } : { id, problems })
  process.exit(problems.length === 0 ? 0 : 1)
}
