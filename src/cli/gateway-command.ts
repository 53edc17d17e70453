import type { Command } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import { startGatewayServer } from '../node/gateway-server.ts'
import { isLoopback } from '../node/exposure.ts'
import { type BalancerName, balancerNames } from '../coordination/discovery/balancing-policies.ts'
import { untilStopped } from './until-stopped.ts'

interface GatewayCommandOptions {
  readonly url: string
  readonly service: string
  readonly listen: string
  readonly balancer: string
  readonly insecure?: boolean
}

/** `althing gateway`: a reverse proxy before the instances of one service, until SIGTERM or SIGINT. */
export function registerGatewayCommand(program: Command): void {
  program
    .command('gateway')
    .description('run a gateway (HTTP and WebSocket) before a service that is registered in discovery')
    .requiredOption('--url <url>', 'the cluster: althing://HOST:PORT,HOST:PORT')
    .requiredOption('--service <name>', 'the service, as its instances registered it')
    .option('--listen <address>', 'where clients come to', '127.0.0.1:7480')
    .option('--insecure', 'listen for other machines in the clear: something before the gateway adds TLS')
    .option('--balancer <name>', `how an instance is chosen: ${balancerNames.join(', ')}`, 'consistent-hash')
    .action(runGateway)
}

async function runGateway(options: GatewayCommandOptions): Promise<void> {
  if (!isLoopback(options.listen) && options.insecure !== true)
    throw invalidArgument(
      '--listen',
      options.listen,
      'an address of this machine (127.0.0.1, localhost or [::1]), since the gateway has no TLS of its own; ' +
        'behind something that adds TLS, or in a network that is trusted, give --insecure',
    )
  const balancer = balancerNames.find((name) => name === options.balancer)
  if (balancer === undefined)
    throw invalidArgument('--balancer', options.balancer, `one of ${balancerNames.join(', ')}`)
  const { url, service, listen } = options
  const server = await startGatewayServer({ url, service, listen, balancer: balancer satisfies BalancerName })
  process.stdout.write(
    `${JSON.stringify({ event: 'listening', address: server.gateway.address, service })}\n`,
  )
  await untilStopped()
  await server.close()
}
