// Agora as `npm start` runs it, with few agents: what the death of one worker does to the sessions of the others.
import { afterAll, expect, test } from 'vitest'
import { agoraScript, Child, killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { NodeCluster } from './support/node-cluster.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

const agents = 60
const workerNames = ['worker-1', 'worker-2', 'worker-3'] as const

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

test('a killed worker loses its own sessions only; they go on with another', async () => {
  const cluster = await NodeCluster.start(3)
  const workers = workerNames.map((name) => {
    return Child.script(agoraScript('worker'), ['--store', cluster.url, '--id', name])
  })
  await Promise.all(workers.map((worker) => worker.event({ event: 'ready' })))
  const gateway = Child.command([
    'gateway',
    '--url',
    cluster.url,
    '--service',
    'agora',
    '--listen',
    '127.0.0.1:0',
  ])
  const { address } = await gateway.event({ event: 'listening' })
  const load = Child.script(agoraScript('load'), [
    ...['--url', `http://${address}`, '--agents', String(agents)],
    ...['--seconds', '0', '--pause', '300', '--join-rate', '60'],
  ])
  await connectedAgain(load, 0)
  const linesBefore = load.lines.length

  const victim = workers[0] as Child
  await victim.kill()
  const reconnects = await eventually('its agents come back elsewhere', () => {
    const last = load.lines.at(-1) ?? ''
    return reconnectsOf(last) > 0 && last.includes(`connected ${agents} `) ? reconnectsOf(last) : undefined
  })
  await connectedAgain(load, linesBefore + 5)
  expect(reconnects).toBeLessThan(agents)

  load.signal('SIGINT')
  await load.ending()
  const summary = load.lines.join('\n')
  process.stdout.write(`Agora, one of three workers killed: ${/sessions kept.*/.exec(summary)?.[0]}\n`)
  expect(reconnectsOf(load.lines.filter((line) => line.includes('req/s')).at(-1) ?? '')).toBeLessThan(agents)
  // Each agent of the dead worker may see its own connection fail; nobody else sees anything.
  const errors = /errors: ([\d.]+)%/.exec(summary)?.[1]
  expect(Number(errors), summary).toBeLessThan(5)
  expect(Number(/on their node: ([\d.]+)%/.exec(summary)?.[1]), summary).toBeGreaterThan(95)
  await Promise.all([...workers, gateway].map((child) => child.kill()))
  await cluster.stop()
})

async function connectedAgain(load: Child, afterLine: number): Promise<void> {
  await eventually('every agent is connected', () => {
    return load.lines.length > afterLine && load.lines.at(-1)?.includes(`connected ${agents} `) === true
  })
}

function reconnectsOf(line: string): number {
  return Number(/reconnects (\d+)/.exec(line)?.[1] ?? 0)
}
