import { type NativeReport, runH2load } from './h2load.ts'

/** Drives etcd's put with one fixed gRPC request (always the same key) over at most 16 connections. */
export function putNatively(
  address: string,
  options: { readonly clients: number; readonly seconds: number; readonly warmupSeconds: number },
): Promise<NativeReport> {
  return runH2load({
    url: `http://${address}/etcdserverpb.KV/Put`,
    headers: { 'content-type': 'application/grpc', te: 'trailers' },
    method: 'POST',
    body: putFrame(Buffer.from('bench/native'), Buffer.alloc(256, 0x61)),
    ...options,
  })
}

/**
 * A put as gRPC sends it: one byte (not compressed), the length, and the message (protobuf: field 1 the key, field 2 the value, both with a
 * length before them).
 */
export function putFrame(key: Uint8Array, value: Uint8Array): Buffer {
  const message = Buffer.concat([field(1, key), field(2, value)])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function field(number: number, bytes: Uint8Array): Buffer {
  const lengthDelimited = 2
  return Buffer.concat([Buffer.from([(number << 3) | lengthDelimited]), varint(bytes.byteLength), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}
