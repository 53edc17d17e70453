import { type Command, Option } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import type { ActiveCheck } from '../coordination/discovery/check-types.ts'
import { type HostOptions, HostedRegistrations } from '../coordination/discovery/hosted-registrations.ts'
import { durationMs } from './arguments.ts'
import { print } from './output.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

interface RegisterOptions extends TargetOptions {
  readonly address: string
  readonly zone?: string
  readonly serviceVersion?: string
  readonly weight?: string
  readonly meta?: readonly string[]
  readonly ttl?: string
  readonly checkHttp?: string
  readonly checkTcp?: string
  readonly checkScript?: readonly string[]
  readonly interval?: string
  readonly timeout?: string
  readonly removeAfter?: string
  readonly takeOver?: boolean
}

const help = `
The registration is not this process's: it ends by itself unless it is renewed within --ttl (by \`althing service renew\`, or by the same command again), or it stays and
a node of the cluster checks it, or both. A check that runs a program is carried out only by nodes that were started with --checks all.`

/** `althing service register|renew|drain|deregister`: what a shell script needs to be found. */
export function registerServiceCommand(program: Command): void {
  const service = program.command('service').description('register an instance of a service from a script')
  registerCommand(service)
  const verbs = [
    ['renew', 'start its ttl anew'],
    ['drain', 'let nothing new be sent to it'],
    ['deregister', 'remove it'],
  ] as const
  for (const [verb, description] of verbs) {
    withTargetOptions(
      service.command(verb).argument('<name>').argument('<id>').description(description),
    ).action((name: string, id: string, options: TargetOptions) => keep(verb, name, id, options))
  }
}

function registerCommand(service: Command): void {
  withTargetOptions(
    service
      .command('register')
      .argument('<name>', 'of the service')
      .argument('<id>', 'of the instance')
      .description('register an instance, or change or renew it')
      .requiredOption('--address <address>', 'HOST:PORT')
      .option('--zone <zone>')
      .option('--service-version <version>')
      .option('--weight <number>', 'from 0 (nothing is sent to it) to 10000 (default: 100)')
      .option('--meta <entry...>', 'NAME=VALUE')
      .option('--ttl <duration>', 'without a renewal within this time it is gone')
      .addOption(
        new Option('--check-http <url>', 'a node asks for this').conflicts(['checkTcp', 'checkScript']),
      )
      .addOption(new Option('--check-tcp <address>', 'a node connects to this').conflicts('checkScript'))
      .option('--check-script <argv...>', 'a node runs this program')
      .option('--interval <duration>', 'between two checks (default: 5s)')
      .option('--timeout <duration>', 'for one check (default: 2s)')
      .option('--remove-after <duration>', 'remove it when it has been unhealthy for so long')
      .option('--take-over', 'replace an instance that a process has registered itself')
      .addHelpText('after', help),
  ).action(register)
}

async function register(name: string, id: string, options: RegisterOptions): Promise<void> {
  const { address, zone, serviceVersion: version, weight, meta, ttl, takeOver } = options
  const check = checkFrom(options)
  const registration: HostOptions = {
    service: name,
    id,
    address,
    ...(zone === undefined ? {} : { zone }),
    ...(version === undefined ? {} : { version }),
    ...(weight === undefined ? {} : { weight: Number(weight) }),
    ...(meta === undefined ? {} : { metadata: Object.fromEntries(meta.map(entryOf)) }),
    ...(ttl === undefined ? {} : { ttl: durationMs('--ttl', ttl) }),
    ...(takeOver === undefined ? {} : { takeOver }),
    ...(check === undefined ? {} : { check }),
  }
  await withStore(options, async ({ raw, world }) => {
    const instance = await new HostedRegistrations(raw, world).register(registration)
    await print(options.json, instance, `registered ${name}/${id} at ${address}\n`)
  })
}

function checkFrom(options: RegisterOptions): ActiveCheck | undefined {
  const { checkHttp, checkTcp, checkScript, interval, timeout, removeAfter } = options
  const schedule = {
    by: 'cluster',
    ...(interval === undefined ? {} : { interval: durationMs('--interval', interval) }),
    ...(timeout === undefined ? {} : { timeout: durationMs('--timeout', timeout) }),
    ...(removeAfter === undefined ? {} : { removeAfter: durationMs('--remove-after', removeAfter) }),
  } as const
  if (checkHttp !== undefined) return { http: checkHttp, ...schedule }
  if (checkTcp !== undefined) return { tcp: checkTcp, ...schedule }
  const [program, ...args] = checkScript ?? []
  return program === undefined ? undefined : { script: [program, ...args], ...schedule }
}

function entryOf(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw invalidArgument('--meta', text, 'of the form NAME=VALUE')
  return [text.slice(0, at), text.slice(at + 1)]
}

async function keep(
  verb: 'renew' | 'drain' | 'deregister',
  service: string,
  id: string,
  options: TargetOptions,
): Promise<void> {
  await withStore(options, async ({ raw, world }) => {
    const hosted = new HostedRegistrations(raw, world)
    const place = { service, id }
    if (verb === 'renew') {
      const { ttlMs = null } = await hosted.renew(place)
      await print(options.json, { ttlMs }, `renewed ${service}/${id}\n`)
    } else if (verb === 'drain') {
      await hosted.drain(place)
      await print(options.json, {}, `${service}/${id} is draining\n`)
    } else {
      const removed = await hosted.deregister(place)
      await print(
        options.json,
        { removed },
        removed ? `removed ${service}/${id}\n` : `${service}/${id} was not registered\n`,
      )
    }
  })
}
