import type { LoadTarget, StoreDriver } from '../cluster.ts'
import { openOurs } from '../our-driver.ts'
import { EtcdDriver } from '../peers/etcd-driver.ts'
import { runClosedLoop } from './closed-loop.ts'
import type { LoadRequest } from './load.ts'

/** What gives etcd its best rate from one load process: with 64 clients, 4 and 16 connections are 14 % and 30 % slower. */
const etcdConnections = 1

async function connect(target: LoadTarget): Promise<StoreDriver> {
  if (target.kind === 'althing') return await openOurs(target.addresses)
  return new EtcdDriver(target.addresses[0] as string, etcdConnections)
}

const request = JSON.parse(process.argv[2] ?? '') as LoadRequest
const driver = await connect(request.target)
const report = await runClosedLoop(driver, request)
await driver.close()
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0))
