import { NodeClient } from '../../engines/cluster/node-client.ts'
import { attempt, type ClientContext, type ClientProgram, think } from './client-process.ts'

const callTimeoutMs = 1_000

/** Has the leadership handed over now and then: a change of leader that waits for no silence. */
export const runOperator: ClientProgram = async (context) => {
  const { transferMsMean } = context.configuration
  while (!context.isStopping()) {
    await attempt(context, () => handOver(context))
    await think(context, transferMsMean)
  }
}

async function handOver(context: ClientContext): Promise<void> {
  const { random, endpoints } = context
  const leader = await askAt(
    context,
    random.pick(endpoints),
    async (client) => (await client.status()).leader,
  )
  const address = endpoints[leader - 1]
  const others = endpoints.map((_, i) => i + 1).filter((id) => id !== leader)
  if (address !== undefined)
    await askAt(context, address, (client) => client.transferLeadership(random.pick(others)))
}

async function askAt<T>(
  { world, credentials }: ClientContext,
  address: string,
  ask: (client: NodeClient) => Promise<T>,
): Promise<T> {
  const client = await NodeClient.open(world, address, {
    timeoutMs: callTimeoutMs,
    ...(credentials === undefined ? {} : { credentials }),
  })
  try {
    return await ask(client)
  } finally {
    client.close()
  }
}
