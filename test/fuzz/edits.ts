/**
 * Applies an input that is a list of edits to a file: so a file of many kilobytes is not carried along. Each edit: where (4 bytes, modulo the size), what (1 byte), how many
 * bytes (1 byte), and as many bytes for the edits that write.
 */
export function edited(file: Buffer, edits: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(file)
  for (let at = 0; at + 6 <= edits.length && bytes.length > 0; ) {
    const offset = edits.readUInt32LE(at) % bytes.length
    const kind = (edits[at + 4] as number) % 6
    const count = 1 + (edits[at + 5] as number)
    at += 6
    if (kind < 5) bytes = change(bytes, kind, offset, count)
    else {
      edits.copy(bytes, offset, at, at + count)
      at += count
    }
  }
  return bytes
}

function change(bytes: Buffer, kind: number, offset: number, count: number): Buffer {
  if (kind === 0) return bytes.subarray(0, offset)
  if (kind === 2) return Buffer.concat([bytes.subarray(0, offset), bytes.subarray(offset + count)])
  if (kind === 1) bytes.fill(0, offset, Math.min(bytes.length, offset + count))
  else if (kind === 3) bytes[offset] = (bytes[offset] as number) ^ (1 << (count & 7))
  else {
    const from = (offset * 7) % bytes.length
    bytes.copy(bytes, offset, from, from + count)
  }
  return bytes
}

/** An edit of every kind, at several places. */
export function sampleEdits(): Buffer[] {
  const samples: Buffer[] = [Buffer.alloc(0)]
  for (let place = 0; place < 8; place++) {
    for (let kind = 0; kind < 6; kind++) {
      const edit = Buffer.alloc(6)
      edit.writeUInt32LE(kind * 97 + place * 1_031, 0)
      edit[4] = kind
      edit[5] = 8 * kind
      samples.push(Buffer.concat([edit, Buffer.alloc(kind === 5 ? 41 : 0, 0xa5)]))
    }
  }
  return samples
}
