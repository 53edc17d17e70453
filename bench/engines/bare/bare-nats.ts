import { jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { type BareClient, missing } from './bare-client.ts'

const stream = 'bare'
const timeoutMs = 10_000

/**
 * `@nats-io/jetstream`, one connection, as its key-value layer does it: a publish with an acknowledgement to a stream that keeps one message for each subject in a file, and
 * a read of the last message of a subject by the stream's leader.
 */
export async function openBareNats(address: string): Promise<BareClient> {
  const connection = await connect({ servers: address })
  const manager = await jetstreamManager(connection, { timeout: timeoutMs })
  await manager.streams.add({
    name: stream,
    subjects: [`${stream}.>`],
    storage: StorageType.File,
    max_msgs_per_subject: 1,
  })
  const publisher = jetstream(connection, { timeout: timeoutMs })
  return {
    put: (key, value) => publisher.publish(subjectOf(key), value),
    get: async (key) => {
      const message = await manager.streams.getMessage(stream, { last_by_subj: subjectOf(key) })
      if (message === null) throw missing(key)
      return message.data.byteLength
    },
    close: () => connection.close(),
  }
}

function subjectOf(key: string): string {
  return `${stream}.${key.replaceAll('/', '.')}`
}
