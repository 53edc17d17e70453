import { Command } from 'commander'
import { version } from '../node/version.ts'
import { registerAccessCommand } from './access-command.ts'
import { registerBackupCommand } from './backup-command.ts'
import { registerCheckCommand } from './check.ts'
import { registerCronCommand } from './cron-command.ts'
import { registerConfigCommand } from './config-command.ts'
import { registerDelCommand } from './del-command.ts'
import { registerDemoCommand } from './demo-command.ts'
import { registerDevCommand } from './dev-command.ts'
import { registerDoctorCommand } from './doctor-command.ts'
import { registerDrainCommand } from './drain-command.ts'
import { registerGatewayCommand } from './gateway-command.ts'
import { registerGetCommand } from './get-command.ts'
import { registerIdCommand } from './id-command.ts'
import { registerGroupCommand } from './group-command.ts'
import { registerJoinCommand } from './join-command.ts'
import { registerLockCommand } from './lock-command.ts'
import { registerLocksCommand } from './locks-command.ts'
import { registerMemberCommand } from './member-command.ts'
import { registerMigrateCommand } from './migrate-command.ts'
import { registerNodeCommand } from './node-command.ts'
import { registerPutCommand } from './put-command.ts'
import { registerQuotaCommand } from './quota-command.ts'
import { usageFailure } from './report.ts'
import { registerRestoreCommand } from './restore-command.ts'
import { registerServiceCommand } from './service-command.ts'
import { registerServicesCommand } from './services-command.ts'
import { registerSimCommand } from './sim-command.ts'
import { registerStatusCommand } from './status-command.ts'
import { registerTransferLeaderCommand } from './transfer-leader-command.ts'
import { registerTxnCommand } from './txn-command.ts'
import { registerUpCommand } from './up-command.ts'
import { registerWatchCommand } from './watch-command.ts'

/** The whole command. With `asJson` wrong usage is told as JSON. */
export function createProgram(asJson = false): Command {
  const program = new Command('althing')
  program
    .description('Distributed-systems building blocks: run a cluster, talk to it, prove it.')
    .version(version)
    // The help of a command is longer than a terminal is high: it would push the mistake out of sight.
    .configureOutput({ outputError: (text, write) => write(usageFailure(text, asJson)) })
    // Wrong usage is 2 everywhere, as with our own refusals; commander alone would say 1.
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  registerDevCommand(program)
  registerUpCommand(program)
  registerDemoCommand(program)
  registerNodeCommand(program)
  registerJoinCommand(program)
  registerMemberCommand(program)
  registerGroupCommand(program)
  registerAccessCommand(program)
  registerGatewayCommand(program)
  registerStatusCommand(program)
  registerGetCommand(program)
  registerPutCommand(program)
  registerDelCommand(program)
  registerWatchCommand(program)
  registerTxnCommand(program)
  registerLockCommand(program)
  registerLocksCommand(program)
  registerConfigCommand(program)
  registerDoctorCommand(program)
  registerQuotaCommand(program)
  registerBackupCommand(program)
  registerRestoreCommand(program)
  registerMigrateCommand(program)
  registerTransferLeaderCommand(program)
  registerDrainCommand(program)
  registerCheckCommand(program)
  registerSimCommand(program)
  registerCronCommand(program)
  registerServicesCommand(program)
  registerServiceCommand(program)
  registerIdCommand(program)
  return program
}
