import { EtcdDriver } from '../../peers/etcd-driver.ts'
import type { BareClient } from './bare-client.ts'

const deadlineMs = 10_000

/** `@grpc/grpc-js` with the loaded `.proto`, one connection: `Put` and a linearizable `Range`, each with a deadline. */
export async function openBareEtcd(address: string): Promise<BareClient> {
  const driver = new EtcdDriver(address, 1)
  return {
    put: (key, value) => driver.put(key, value, deadlineMs),
    get: (key) => driver.get(key, deadlineMs),
    close: () => driver.close(),
  }
}
