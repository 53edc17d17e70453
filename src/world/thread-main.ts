import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../base/assert.ts'
import type { ThreadEntry } from '../contracts/world.ts'
import { createNodeWorld } from './node-world.ts'
import { MessageChannel, type ThreadStart } from './threads.ts'

// The first module of every thread that NodeThreads starts.
const { moduleUrl, exportName, dataFolder, tls, data } = workerData as ThreadStart
const port = parentPort
assert(port !== null, 'this module runs only as the start of a thread')
const module = (await import(moduleUrl)) as Record<string, ThreadEntry<unknown>['run'] | undefined>
const run = module[exportName]
assert(typeof run === 'function', 'the module does not export the function of the thread', {
  moduleUrl,
  exportName,
})
const channel = new MessageChannel(port)
port.on('message', (message: unknown) => channel.deliver(message))
await run(createNodeWorld({ dataFolder, ...(tls === undefined ? {} : { tls }) }), channel, data)
