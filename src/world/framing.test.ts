import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxFrameBytes } from '../contracts/world.ts'
import { joinFrames } from './connection.ts'
import { FrameDecoder, preface } from './framing.ts'

function decode(stream: Buffer, cuts: readonly number[]): { frames: Buffer[]; problem: string | undefined } {
  const decoder = new FrameDecoder()
  const frames: Buffer[] = []
  const edges = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length]
  for (let i = 1; i < edges.length; i++) {
    const problem = decoder.push(stream.subarray(edges[i - 1], edges[i]), (frame) => frames.push(frame) > 0)
    if (problem !== undefined) return { frames, problem }
  }
  return { frames, problem: undefined }
}

describe('frames', () => {
  test('come out as they went in, wherever the stream is cut', () => {
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom(32_768, 32_769, 70_000).map((length) => new Uint8Array(length).fill(7)),
    )
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (frames, cuts) => {
          const stream = Buffer.concat([preface, ...joinFrames(frames)])
          const decoded = decode(stream, cuts)
          expect(decoded.problem).toBeUndefined()
          expect(decoded.frames.length).toBe(frames.length)
          for (const [i, frame] of decoded.frames.entries()) {
            expect(frame.equals(frames[i] as Uint8Array)).toBe(true)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('that came whole are views of what was received', () => {
    const stream = Buffer.concat([preface, ...joinFrames([new Uint8Array(10), new Uint8Array(20)])])
    const { frames } = decode(stream, [])
    expect(frames.map((frame) => frame.buffer === stream.buffer)).toEqual([true, true])
  })

  test('any flipped bit of a frame is noticed, or the frame waits for more bytes', () => {
    const stream = Buffer.concat([preface, ...joinFrames([Buffer.from('a frame')])])
    for (let bit = 0; bit < 8 * stream.length; bit++) {
      const damaged = Buffer.from(stream)
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(decode(damaged, []).frames, `bit ${bit}`).toEqual([])
    }
  })

  test('a frame over the limit is refused by its header alone', () => {
    const header = Buffer.alloc(8)
    header.writeUInt32LE(maxFrameBytes + 1, 0)
    expect(decode(Buffer.concat([preface, header]), []).problem).toMatch(/16777217 bytes/)
  })

  test('random bytes are refused at the first that differs from the preface', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (noise) => {
        const { frames, problem } = decode(Buffer.from(noise), [])
        fc.pre(noise[0] !== preface[0])
        expect(frames).toEqual([])
        expect(problem).toMatch(/does not speak/)
      }),
    )
  })

  test('random bytes after the preface never crash the decoder', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat()), (noise, cuts) => {
        decode(Buffer.concat([preface, noise]), cuts)
      }),
    )
  })
})
