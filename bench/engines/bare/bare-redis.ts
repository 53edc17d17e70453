import { Redis } from 'ioredis'
import { type BareClient, missing } from './bare-client.ts'

/** `ioredis`, one connection: `SET` and `GET`. No revision, no history, nothing for a watch to read. */
export async function openBareRedis(url: string): Promise<BareClient> {
  const redis = new Redis(url)
  return {
    put: (key, value) => redis.set(`bare:${key}`, value),
    get: (key) => read(key, () => redis.getBuffer(`bare:${key}`)),
    close: () => close(redis),
  }
}

/** One script: a revision over all keys, value and version of the key, and an entry of a stream of changes that is cut at about 10,000. */
const journalPut = `local revision = redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[2], 'value', ARGV[1], 'revision', revision)
redis.call('HINCRBY', KEYS[2], 'version', 1)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, revision .. '-0', 'key', KEYS[2], 'value', ARGV[1])
return revision`

/** `ioredis` with what a watch and a comparison of revisions need besides. Still without leases, transactions, and repeats that are known. */
export async function openRedisJournal(url: string): Promise<BareClient> {
  const redis = new Redis(url)
  const sha = String(await redis.script('LOAD', journalPut))
  const keyOf = (key: string): string => `{journal}:key:${key}`
  return {
    put: (key, value) => redis.evalsha(sha, 3, '{journal}:revision', keyOf(key), '{journal}:changes', value),
    get: (key) => read(key, () => redis.hgetBuffer(keyOf(key), 'value')),
    close: () => close(redis),
  }
}

async function read(key: string, find: () => Promise<Buffer | null>): Promise<number> {
  const found = await find()
  if (found === null) throw missing(key)
  return found.byteLength
}

async function close(redis: Redis): Promise<void> {
  await redis.quit()
}
