#!/usr/bin/env node
import { Command } from 'commander'
import { version } from '../node/version.ts'
import { registerCheckCommand } from './check.ts'
import { registerDemoCommand } from './demo-command.ts'
import { registerDevCommand } from './dev-command.ts'
import { registerGatewayCommand } from './gateway-command.ts'
import { registerNodeCommand } from './node-command.ts'
import { reportFailure } from './report.ts'
import { registerUpCommand } from './up-command.ts'

const program = new Command('althing')
program
  .description('Distributed-systems building blocks: run a cluster, talk to it, prove it.')
  .version(version)
  .showHelpAfterError()

registerDevCommand(program)
registerUpCommand(program)
registerDemoCommand(program)
registerNodeCommand(program)
registerGatewayCommand(program)
registerCheckCommand(program)

program.parseAsync().catch((error: unknown) => {
  process.exitCode = reportFailure(error, process.argv.includes('--json'))
})
