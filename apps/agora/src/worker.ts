import { parseArgs } from 'node:util'
import { setTimeout as wait } from 'node:timers/promises'
import { isAlthingError, open } from './althing.ts'
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
const takeOverMs = 30_000

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
const registration = await register()
say('ready', { id, address, service: values.service, pid: process.pid })

/** After a crash the entry of the process before is there until its lease ends: this one waits for that. */
async function register(): Promise<Awaited<ReturnType<typeof althing.discovery.register>>> {
  const untilMs = performance.now() + takeOverMs
  for (;;) {
    try {
      return await althing.discovery.register({ service: values.service, id, address, ttl: '10s' })
    } catch (error) {
      if (!isAlthingError(error, 'conflict') || performance.now() > untilMs) throw error
      await wait(500)
    }
  }
}

let isStopping = false
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop(signal))

async function stop(signal: string): Promise<void> {
  if (isStopping) return
  isStopping = true
  say('draining', { id, signal })
  try {
    worker.beginDrain()
    await registration.drain()
    await wait(noticeMs)
    await worker.close({ spreadMs, withinMs: finishMs })
    await registration.deregister()
    await althing.close()
    say('stopped', { id })
    process.exit(0)
  } catch (error) {
    say('stopped badly', { id, error: String(error) })
    process.exit(1)
  }
}
