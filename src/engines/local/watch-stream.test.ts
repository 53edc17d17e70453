import { describe, expect, test } from 'vitest'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, WatchBatch } from '../../contracts/store.ts'
import { WatchStream } from './watch-stream.ts'

function kv(bytes: number): KeyValue {
  return { key: 'k', value: new Uint8Array(bytes), createRevision: 2, modRevision: 2, version: 1, lease: 0 }
}

function events(count: number, bytes = 1): WatchBatch {
  return {
    kind: 'events',
    revision: 2,
    events: Array.from({ length: count }, () => ({ type: 'put', kv: kv(bytes) })),
  }
}

function open(signal?: AbortSignal) {
  const calls: string[] = []
  const stream = new WatchStream(
    { resume: () => calls.push('resume'), stop: () => calls.push('stop') },
    signal,
  )
  return { stream, calls, reader: stream[Symbol.asyncIterator]() }
}

describe('watch stream', () => {
  test.each([
    ['events', events(10_000)],
    ['bytes of events', events(20, 1024 * 1024)],
    [
      'keys of a resync',
      { kind: 'resync', fromRevision: 1, revision: 2, kvs: Array.from({ length: 10_000 }, () => kv(1)) },
    ],
  ] as const)(
    'tells its source to wait at the bound of %s, and to go on when all is read',
    async (_, batch) => {
      const { stream, calls, reader } = open()
      expect(stream.push(events(1))).toBe(true)
      expect(stream.push(batch as WatchBatch)).toBe(false)
      await reader.next()
      expect(calls).toEqual([])
      await reader.next()
      expect(calls).toEqual(['resume'])
      expect(stream.push(events(1))).toBe(true)
    },
  )

  test('hands a batch to the reader that waits', async () => {
    const { stream, reader } = open()
    const next = reader.next()
    expect(stream.push(events(1))).toBe(true)
    expect((await next).value).toMatchObject({ kind: 'events' })
  })

  test('gives what is held before the error that ended it, and the error once', async () => {
    const { stream, calls, reader } = open()
    stream.push(events(1))
    stream.fail(new AlthingError('closed', 'over'))
    expect(stream.push(events(1))).toBe(false)
    expect(calls).toEqual(['stop'])
    expect((await reader.next()).done).toBe(false)
    await expect(reader.next()).rejects.toMatchObject({ code: 'closed' })
    expect((await reader.next()).done).toBe(true)
  })

  test('ends a reader that waits when it is closed, failed, left or aborted', async () => {
    const closed = open()
    const first = closed.reader.next()
    closed.stream.close()
    closed.stream.close()
    expect((await first).done).toBe(true)
    expect(closed.calls).toEqual(['stop'])

    const failed = open()
    const second = failed.reader.next()
    failed.stream.fail(new AlthingError('closed', 'over'))
    await expect(second).rejects.toMatchObject({ code: 'closed' })

    const left = open()
    await left.reader.return?.()
    expect(left.stream.isEnded).toBe(true)

    const controller = new AbortController()
    const aborted = open(controller.signal)
    const third = aborted.reader.next()
    controller.abort()
    expect((await third).done).toBe(true)

    const before = open(AbortSignal.abort())
    await Promise.resolve()
    expect(before.calls).toEqual(['stop'])
  })

  test('has one reader at a time', async () => {
    const { stream, reader } = open()
    const first = reader.next()
    await expect(reader.next()).rejects.toMatchObject({ code: 'conflict' })
    stream.push(events(1))
    expect((await first).done).toBe(false)
  })
})
