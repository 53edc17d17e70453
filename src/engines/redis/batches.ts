import type { ByteString } from '../../base/bytes.ts'
import { type RangeReply, storeLimits } from '../../contracts/store.ts'
import type { Random } from '../../contracts/world.ts'
import type { ScriptBatch } from './connections.ts'
import { bufferOf } from './command-args.ts'
import { headedOf } from './key-values.ts'
import type { RedisArgument } from './library.ts'
import type { Place } from './place.ts'
import { scripts } from './script.ts'

/** One command as it goes to the server. */
export interface EncodedCommand {
  readonly args: readonly RedisArgument[]
  /** It may make the store larger: refused where there is no room. */
  readonly grows: boolean
}

/**
 * Commands of one client, one batch at a time, each with the number by which the server knows a repeat of it. The replies are those of the server, refusals too.
 */
export function commandBatches(
  place: Place,
  random: Random,
): ScriptBatch<EncodedCommand, readonly unknown[]> {
  const session = place.session(Buffer.from(random.bytes(16)).toString('hex'))
  return {
    isMutation: true,
    // The last number is the only one that the server remembers.
    sentMax: 1,
    requestsMax: 256,
    bytesMax: 4 * 1024 * 1024,
    callOf: (commands, number, isRepeat) => ({
      script: scripts.apply,
      session,
      args: [
        place.channel,
        String(number),
        isRepeat ? '1' : '0',
        commands.some(({ grows }) => grows) ? '1' : '0',
        String(storeLimits.rangeReplyBytesMax),
        String(commands.length),
        ...commands.flatMap(({ args }) => args),
      ],
    }),
    repliesOf: (reply) => reply as readonly (readonly unknown[])[],
  }
}

/** Reads of one key each, as the store is now: those that wait together are read at one moment, later than the call of each. */
export function getBatches(place: Place): ScriptBatch<ByteString, RangeReply> {
  return {
    isMutation: false,
    sentMax: 2,
    requestsMax: 256,
    bytesMax: 4 * 1024 * 1024,
    callOf: (keys) => ({ script: scripts.gets, keys: place.keysOfGets, args: keys.map(bufferOf) }),
    repliesOf: (reply, keys) => {
      const [revision, ...parts] = reply as [number, ...Buffer[]]
      return keys.slice(0, parts.length / 2).map((key, i) => {
        const [head, record] = parts.slice(2 * i, 2 * i + 2) as [Buffer, Buffer]
        const kvs = head.byteLength === 0 ? [] : [headedOf(key, head, record)]
        return { revision, kvs, count: kvs.length, more: false }
      })
    },
  }
}
