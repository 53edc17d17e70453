import { jetstream } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { PutDriver } from '../cluster.ts'

/** The subjects of the stream that the benchmark writes to. */
export const subjects = 'bench.>'

/** A publisher to the stream of the cluster at `address`; each publish waits for the acknowledgement of the stream's leader. */
export async function openNats(address: string): Promise<PutDriver> {
  const connection = await connect({ servers: address, reconnect: false })
  const stream = jetstream(connection)
  return {
    put: async (key, value, deadlineMs) => {
      await stream.publish(key.replaceAll('/', '.'), value, { timeout: deadlineMs })
    },
    close: () => connection.close(),
  }
}
