import { Packr } from 'msgpackr'
import { AlthingError } from '../contracts/errors.ts'
import type { NodeId } from '../protocols/raft/types.ts'

/**
 * What nodes tell each other besides raft's messages, as bytes whose form is not the transport's concern:
 *
 *     version 3   [3, from, to, bytes]
 */
const gossipFrameVersion = 3

/** An array of four, and the number of the version, in MessagePack. */
const head = [0x94, gossipFrameVersion]

const packr = new Packr({ useRecords: false, int64AsType: 'number' })

export interface GossipFrame {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Uint8Array
}

export function encodeGossipFrame({ from, to, message }: GossipFrame): Uint8Array {
  return packr.pack([gossipFrameVersion, from, to, message])
}

/** By its first bytes; whether it is well formed is for {@link decodeGossipFrame} to say. */
export function isGossipFrame(bytes: Uint8Array): boolean {
  return bytes[0] === head[0] && bytes[1] === head[1]
}

/** Throws `corrupt`. */
export function decodeGossipFrame(bytes: Uint8Array): GossipFrame {
  try {
    const [version, from, to, message]: unknown[] = packr.unpack(bytes)
    if (
      version !== gossipFrameVersion ||
      !isNodeId(from) ||
      !isNodeId(to) ||
      !(message instanceof Uint8Array)
    )
      throw new Error('not of the form stated')
    return { from, to, message }
  } catch (cause) {
    throw new AlthingError('corrupt', 'malformed frame of gossip', { cause })
  }
}

function isNodeId(value: unknown): value is NodeId {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
