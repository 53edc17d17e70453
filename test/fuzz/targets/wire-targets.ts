import { Packr } from 'msgpackr'
import { crc32 } from 'node:zlib'
import { AlthingError, isAlthingError } from '../../../src/contracts/errors.ts'
import type { WatchRequest } from '../../../src/contracts/store.ts'
import { OperatorCalls } from '../../../src/engines/cluster/operator-calls.ts'
import {
  decodeError,
  decodeHello,
  decodeReply,
  decodeRequest,
  decodeWelcome,
  encodeError,
  encodeHello,
  encodeReply,
  encodeRequest,
  encodeWelcome,
  methods,
  type Request,
} from '../../../src/engines/cluster/protocol.ts'
import { decodeWatchRequest, encodeWatchRequest } from '../../../src/engines/cluster/watch-request.ts'
import { decodeCommand, encodeCommand } from '../../../src/models/store/codec.ts'
import { validateMutation, validateRange } from '../../../src/models/store/validate.ts'
import * as storeWire from '../../../src/models/store/wire.ts'
import { decodeSwimMessage, encodeSwimMessage } from '../../../src/protocols/membership/message-codec.ts'
import type { Claim, SwimMessage } from '../../../src/protocols/membership/types.ts'
import type { Message } from '../../../src/protocols/raft/types.ts'
import { decodeEntry, encodeEntry } from '../../../src/replication/entry-codec.ts'
import { decodeGossipFrame, encodeGossipFrame } from '../../../src/replication/gossip-frame.ts'
import {
  decodeFrame,
  encodeFrame,
  encodeFrameVersion1,
  type GroupMessage,
  type PeerFrame,
} from '../../../src/replication/message-codec.ts'
import { encodeFrameHeader, FrameDecoder, frameHeaderBytes, preface } from '../../../src/world/framing.ts'
import {
  asBuffer,
  codecTarget,
  type CodecOptions,
  type FuzzTarget,
  PropertyViolation,
  refusal,
} from '../fuzz-target.ts'
import {
  sampleBatches,
  sampleCommands,
  sampleEntries,
  sampleKeyValues,
  sampleMessages,
  sampleRanges,
  sampleReplies,
} from './samples.ts'

const packr = new Packr({ useRecords: false, int64AsType: 'number' })

/** Everything that comes to a node's port, or to a client from a node. */
export function wireTargets(): FuzzTarget[] {
  return [...frames(), ...requestBodies(), ...replyBodies(), ...logForms()]
}

function frames(): FuzzTarget[] {
  const members = [
    { id: 1, address: '127.0.0.1:7400' },
    { id: 2, address: 'node2.example:7400' },
  ]
  return [
    framing(),
    codecTarget({
      name: 'hello',
      area: 'wire',
      share: 5,
      values: [
        { kind: 'client', clusterId: '', from: 0 },
        { kind: 'peer', clusterId: 'demo', from: 3 },
      ],
      encode: encodeHello,
      decode: decodeHello,
      codes: ['corrupt', 'incompatible-peer'],
    }),
    codecTarget({
      name: 'welcome',
      area: 'wire',
      share: 5,
      values: [{ clusterId: 'demo', nodeId: 1, members, leader: 2 }],
      encode: encodeWelcome,
      decode: decodeWelcome,
      codes: ['corrupt', 'incompatible-peer'],
    }),
    codecTarget<Request>({
      name: 'request',
      area: 'wire',
      share: 6,
      values: Object.values(methods).map((method) => ({
        id: method,
        method,
        timeoutMs: 5_000,
        flags: 0,
        body: [1, 'x', null],
      })),
      encode: (request) =>
        encodeRequest(request.id, request.method as 1, request.timeoutMs, request.flags, request.body),
      decode: decodeRequest,
      // The body is read by the method; the time is cut to what the form holds.
      essence: ({ id, method, flags }) => [id, method, flags],
      kindOf: ({ method }) => String(method < 20 ? method : 'unknown'),
    }),
    codecTarget({
      name: 'reply',
      area: 'wire',
      share: 6,
      values: [
        [7, 0, ['a', 1]],
        [8, 1, encodeError(new AlthingError('timeout', 'late', { outcome: 'unknown' }))],
      ],
      encode: ([id, status, body]) => encodeReply(id, status, body),
      decode: decodeReply,
      essence: ([id, status]) => [id, status],
    }),
    errorTarget(),
    ...peerFrames(),
    ...gossipTargets(),
    operatorTarget(),
  ]
}

/** What nodes tell each other of the members, and what members tell each other over datagrams. */
function gossipTargets(): FuzzTarget[] {
  const details = { address: '10.0.0.7:7946', tags: { role: 'worker', zone: 'b' }, degraded: 'event-loop' }
  const claims: Claim[] = [
    { id: 'm1', incarnation: 7, state: 'alive', by: '', details },
    { id: 'm2', incarnation: 2 ** 33, state: 'suspect', by: 'm1' },
    { id: 'm3', incarnation: 0, state: 'failed', by: 'm1', details },
    { id: 'm4', incarnation: 1, state: 'left', by: '' },
  ]
  const from = 'm9'
  return [
    codecTarget({
      name: 'gossip-frame',
      area: 'wire',
      share: 4,
      values: [{ from: 1, to: 2, message: new Uint8Array([1, 2, 3]) }],
      encode: encodeGossipFrame,
      decode: decodeGossipFrame,
    }),
    codecTarget<SwimMessage>({
      name: 'swim-message',
      area: 'wire',
      share: 8,
      values: [
        { type: 'ping', from, seq: 7, to: 'm1', score: 0, claims },
        { type: 'ack', from, seq: 7, score: 8, claims: [] },
        { type: 'pingRequest', from, seq: 9, target: 'm1', targetAddress: '10.0.0.7:7946', claims },
        { type: 'nack', from, seq: 9, claims: [] },
        { type: 'gossip', from, claims },
        { type: 'slow', from, roundTripMs: 812.5, claims: [] },
        { type: 'sync', from, digest: 4_000_000_000, claims: [] },
        { type: 'page', from, wantsBack: true, claims },
      ],
      encode: encodeSwimMessage,
      decode: decodeSwimMessage,
      kindOf: ({ type }) => type,
    }),
  ]
}

/** Of this version, with several messages in a frame; and of the first one, which has one message, of group 1. */
function peerFrames(): FuzzTarget[] {
  const { from, to } = sampleMessages[0] as (typeof sampleMessages)[number]
  const inGroups = sampleMessages.map((message, i) => ({ group: 1 + (i % 3), message }))
  const isVersion1 = (message: Message): boolean => encodeFrameVersion1({ group: 1, message }) !== undefined
  return [
    codecTarget({
      name: 'raft-frame',
      area: 'wire',
      share: 18,
      values: [
        ...inGroups.map((each) => ({ from, to, messages: [each] })),
        { from, to, messages: inGroups },
        { from, to, messages: inGroups.filter(({ message }) => message.type === 'appendEntries') },
      ],
      encode: encodeFrame,
      decode: decodeFrame,
      kindOf: ({ messages }) => `${Math.min(messages.length, 3)} ${messages[0]?.message.type}`,
    }),
    codecTarget({
      name: 'raft-frame-1',
      area: 'wire',
      share: 6,
      values: sampleMessages.filter(isVersion1).map((message) => ({ group: 1, message })),
      encode: (message) => encodeFrameVersion1(message) ?? encodeFrame(frameOf(message)),
      decode: (bytes) => onlyMessage(decodeFrame(bytes)),
      kindOf: ({ message }) => message.type,
    }),
  ]
}

function frameOf({ group, message }: GroupMessage): PeerFrame {
  return { from: message.from, to: message.to, messages: [{ group, message }] }
}

function onlyMessage({ messages }: PeerFrame): GroupMessage {
  const [first] = messages
  if (first === undefined) throw new AlthingError('corrupt', 'a frame without a message')
  return first
}

/** Any error that comes over the wire is an error of ours with a code that is known. */
function errorTarget(): FuzzTarget {
  const errors = [
    new AlthingError('unavailable', 'no leader', { outcome: 'none', details: { leader: 0 } }),
    new AlthingError('corrupt', 'x', { cause: new Error('y') }),
  ]
  const run = (input: Buffer): string => {
    const error = decodeError(input.toString('utf8'))
    if (!isAlthingError(error)) throw new PropertyViolation('errors', 'not an error of Althing')
    const again = decodeError(encodeError(error))
    if (again.code !== error.code || again.outcome !== error.outcome || again.message !== error.message)
      throw new PropertyViolation('round-trip', 'an error reads differently once encoded anew')
    return `accepted ${error.code}`
  }
  const seeds = errors.map((error) => Buffer.from(String(encodeError(error))))
  return { name: 'error', area: 'wire', share: 4, seeds, inputBytesMax: 2_048, run }
}

function operatorTarget(): FuzzTarget {
  const calls = new OperatorCalls()
  calls.register({ echo: async (argument) => argument, refuse: async () => Promise.reject(unavailable()) })
  const caller = { name: 'fuzz', remoteAddress: 'fuzz' }
  const run = async (input: Buffer): Promise<string> => {
    try {
      await calls.call(unpack(input), caller as Parameters<OperatorCalls['call']>[1])
      return 'accepted'
    } catch (error) {
      return refusal(error, ['corrupt', 'incompatible-peer', 'unavailable'])
    }
  }
  const bodies = [['echo', { a: [1, 'b'] }], ['echo'], ['refuse', null], ['none', 1]]
  return {
    name: 'operator-call',
    area: 'wire',
    share: 2,
    seeds: bodies.map((body) => packr.pack(body)),
    inputBytesMax: 2_048,
    run,
  }
}

function unavailable(): AlthingError {
  return new AlthingError('unavailable', 'no', { outcome: 'none' })
}

/** A body, as it lies in a request: MessagePack around what the method's own functions read. */
function body<T>(
  options: Omit<CodecOptions<T>, 'area' | 'encode' | 'decode'> & {
    encode(value: T): unknown
    decode(wire: unknown): T
  },
): FuzzTarget {
  return codecTarget({
    ...options,
    area: 'wire',
    encode: (value) => packr.pack(options.encode(value)),
    decode: (bytes) => options.decode(unpack(bytes)),
  })
}

function requestBodies(): FuzzTarget[] {
  const invalid = ['corrupt', 'invalid-argument', 'too-large'] as const
  return [
    codecTarget({
      name: 'command',
      area: 'wire',
      share: 20,
      values: sampleCommands,
      encode: encodeCommand,
      decode: (bytes) => {
        const command = decodeCommand(bytes)
        if ('session' in command) validateMutation(command)
        return command
      },
      codes: invalid,
      kindOf: ({ type }) => type,
    }),
    body({
      name: 'range-request',
      share: 8,
      values: sampleRanges,
      encode: storeWire.encodeRangeRequest,
      decode: (wire) => {
        const request = storeWire.decodeRangeRequest(wire)
        validateRange(request)
        return request
      },
      codes: invalid,
    }),
    body<WatchRequest>({
      name: 'watch-request',
      share: 6,
      values: [
        { key: 'a', end: null, fromRevision: 7, previous: true, progressMs: 500 },
        { key: 'k\u00ff', previous: false },
        { key: '', end: 'z', previous: false },
      ],
      encode: encodeWatchRequest,
      decode: decodeWatchRequest,
    }),
  ]
}

function replyBodies(): FuzzTarget[] {
  return [
    body({
      name: 'range-reply',
      share: 5,
      values: [{ revision: 9, kvs: sampleKeyValues, count: 2, more: false }],
      encode: storeWire.encodeRangeReply,
      decode: storeWire.decodeRangeReply,
    }),
    body({
      name: 'store-reply',
      share: 8,
      values: sampleReplies,
      encode: storeWire.encodeStoreReply,
      decode: storeWire.decodeStoreReply,
      kindOf: (reply) => (reply.ok ? reply.type : 'error'),
    }),
    body({
      name: 'lease-statuses',
      share: 3,
      values: [[{ lease: 4, ttlMs: 1_000, keys: ['a', 'b'], remainingMs: 12.5 }], []],
      encode: storeWire.encodeLeaseStatuses,
      decode: storeWire.decodeLeaseStatuses,
    }),
    body({
      name: 'watch-batch',
      share: 6,
      values: sampleBatches,
      encode: storeWire.encodeWatchBatch,
      decode: storeWire.decodeWatchBatch,
      kindOf: ({ kind }) => kind,
    }),
  ]
}

function logForms(): FuzzTarget[] {
  return [
    codecTarget({
      name: 'entry',
      area: 'wire',
      share: 6,
      values: sampleEntries,
      encode: encodeEntry,
      decode: decodeEntry,
      kindOf: ({ kind }) => kind,
    }),
  ]
}

/** However the stream is cut into pieces, the same frames come out of it, each with its checksum, and the same end. */
function framing(): FuzzTarget {
  const run = (input: Buffer): string => {
    const whole = decodeInPieces(input, [input.length])
    const cut = decodeInPieces(input, [1, 3, 7, 8, 64, 1_000])
    // Of less than a preface the decoder may wait for the rest before it says no.
    const isJudged = input.length >= preface.length
    if ((isJudged && whole.end !== cut.end) || whole.frames.length !== cut.frames.length)
      throw new PropertyViolation('framing', 'pieces of a stream decode differently from the whole')
    for (const [i, frame] of whole.frames.entries()) {
      if (!frame.equals(cut.frames[i] as Buffer))
        throw new PropertyViolation('framing', 'a frame depends on how the stream was cut')
      if (!input.includes(checksummed(frame)))
        throw new PropertyViolation('checksum', 'a frame was delivered that is not in the stream')
    }
    return `accepted ${Math.min(whole.frames.length, 4)} ${whole.end ?? ''}`.replaceAll(/\d{3,}/g, '#')
  }
  const payloads = [
    Buffer.alloc(0),
    Buffer.from('x'),
    Buffer.from(encodeHello({ kind: 'client', clusterId: '', from: 0 })),
  ]
  const seeds = [
    Buffer.concat([preface, ...payloads.map(checksummed)]),
    Buffer.concat([preface, checksummed(Buffer.alloc(300, 7))]),
    Buffer.from(preface),
  ]
  return { name: 'framing', area: 'wire', share: 6, seeds, inputBytesMax: 2_048, run }
}

function decodeInPieces(
  input: Buffer,
  sizes: readonly number[],
): { frames: Buffer[]; end: string | undefined } {
  const decoder = new FrameDecoder()
  const frames: Buffer[] = []
  const deliver = (frame: Buffer): boolean => {
    frames.push(Buffer.from(frame))
    return true
  }
  let at = 0
  for (let turn = 0; at < input.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] as number)
    const end = decoder.push(input.subarray(at, at + size), deliver)
    if (end !== undefined) return { frames, end }
    at += size
  }
  return { frames, end: undefined }
}

function checksummed(payload: Buffer): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes + payload.length)
  encodeFrameHeader(bytes, 0, payload)
  if (bytes.readUInt32LE(4) !== crc32(payload))
    throw new PropertyViolation('checksum', 'a frame without its CRC')
  payload.copy(bytes, frameHeaderBytes)
  return bytes
}

function unpack(bytes: Buffer): unknown {
  try {
    return packr.unpack(asBuffer(bytes))
  } catch (cause) {
    // As the frame around it would be refused.
    throw new AlthingError('corrupt', 'not MessagePack', { cause })
  }
}
