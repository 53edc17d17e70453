import type { Command } from 'commander'
import { freePorts } from '../node/free-ports.ts'
import { startNodeServer } from '../node/node-server.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { wholeNumber } from './arguments.ts'
import { untilStopped } from './until-stopped.ts'

interface DevOptions {
  readonly port?: string
  readonly httpPort?: string
  readonly data: string
  readonly json?: boolean
}

/** `althing dev`: one node in one process, with the console; ready at once. */
export function registerDevCommand(program: Command): void {
  program
    .command('dev')
    .description('run one node with the console, for development')
    .option('--port <number>', 'port for clients (default: 7400, or a free one)')
    .option('--http-port <number>', 'port of the HTTP API and the console (default: 7500, or a free one)')
    .option('--data <folder>', 'where it keeps its data', './data/dev')
    .option('--json', 'print one JSON object when ready')
    .action(dev)
}

async function dev(options: DevOptions): Promise<void> {
  const address = `127.0.0.1:${await portFor('--port', options.port, 7400)}`
  const http = `127.0.0.1:${await portFor('--http-port', options.httpPort, 7500)}`
  const world = createNodeWorld({ dataFolder: options.data, logger: new NodeLogger('warn') })
  const server = await startNodeServer({
    id: 1,
    members: [{ id: 1, address }],
    clusterId: 'dev',
    dataFolder: options.data,
    http,
    world,
  })
  const url = `althing://${address}`
  if (options.json === true) process.stdout.write(`${JSON.stringify({ url, console: `http://${http}/` })}\n`)
  else
    process.stdout.write(
      `Store     ${url}\nConsole   http://${http}/\nCtrl-C ends it; the data stays in ${options.data}.\n`,
    )
  const failure = await untilStopped(server.node.closed)
  await server.close()
  if (failure instanceof Error) throw failure
}

/** The port asked for, or the usual one when it is free, or any. */
async function portFor(field: string, asked: string | undefined, usual: number): Promise<number> {
  if (asked !== undefined) return wholeNumber(field, asked)
  return (await freePorts(1, usual))[0] as number
}
