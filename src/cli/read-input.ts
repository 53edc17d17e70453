import { readFile } from 'node:fs/promises'
import { AlthingError } from '../contracts/errors.ts'

/** An argument's bytes: itself, standard input (`-`), or a file (`@FILE`). Rejects with `too-large`, or `not-found`. */
export async function readInput(argument: string, bytesMax: number): Promise<Uint8Array> {
  if (argument === '-') return readStdin(bytesMax)
  if (!argument.startsWith('@')) return Buffer.from(argument)
  try {
    return await readFile(argument.slice(1))
  } catch (cause) {
    throw new AlthingError('not-found', `cannot read ${argument.slice(1)}`, { cause, outcome: 'none' })
  }
}

async function readStdin(bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength
    if (length > bytesMax)
      throw new AlthingError('too-large', `standard input is over ${bytesMax} bytes`, { outcome: 'none' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
