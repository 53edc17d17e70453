import type { KeyValue, RangeReply } from 'althing'
import { byteStringFromText, prefixEnd } from '../../../src/base/bytes.ts'
import { methods } from '../../../src/engines/cluster/protocol.ts'
import { RpcConnection } from '../../../src/engines/cluster/rpc-connection.ts'
import { decodeRangeReply, encodeRangeRequest } from '../../../src/models/store/wire.ts'
import { type ClusterMember, clusterName, world } from './node-cluster.ts'

/** All keys with a prefix as this very node has them. A store client would ask the leader. */
export async function ownCopy(member: ClusterMember, prefix: string): Promise<readonly KeyValue[]> {
  const connection = await RpcConnection.open(
    { world, address: member.address, hello: { kind: 'client', clusterId: clusterName, from: 0 } },
    new AbortController().signal,
    5_000,
  )
  try {
    const all: KeyValue[] = []
    let key = byteStringFromText(prefix)
    const end = prefixEnd(key) ?? null
    for (;;) {
      const reply = await range(connection, { key, end })
      all.push(...reply.kvs)
      const last = reply.kvs.at(-1)
      if (!reply.more || last === undefined) return all
      key = `${last.key}\0`
    }
  } finally {
    connection.close()
  }
}

function range(
  connection: RpcConnection,
  request: { readonly key: string; readonly end: string | null },
): Promise<RangeReply> {
  return new Promise((resolve, reject) => {
    connection.request(methods.range, 10_000, 0, [encodeRangeRequest(request), 'serializable'], {
      done: (error, body) => {
        if (error !== undefined) reject(error)
        else resolve(decodeRangeReply(body))
      },
    })
  })
}
