import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import { formatHistory, type HistoryEvent } from './event.ts'
import { HistoryRecorder } from './history-recorder.ts'
import { pairOperations } from './operation.ts'
import { historyLimits, parseHistory } from './parse-history.ts'

const line = (event: object) => JSON.stringify(event)
const call = { process: 1, type: 'call', op: 'write', key: 'x', value: 1, time: 0 }
const end = { process: 1, type: 'return', op: 'write', key: 'x', time: 5, outcome: 'ok' }

function ticking() {
  let now = 0
  return { monotonicMs: () => now++ }
}

describe('parsing', () => {
  test('pairs calls and returns by process, and orders by the time of the call', () => {
    const other = { process: 'b', type: 'call', op: 'read', time: -1 }
    const text = [line(call), '', line(other), line(end)].join('\r\n')
    expect(parseHistory(text)).toEqual([
      expect.objectContaining({
        index: 0,
        process: 'b',
        outcome: 'unknown',
        returnedAt: Number.POSITIVE_INFINITY,
      }),
      expect.objectContaining({
        index: 1,
        process: '1',
        key: 'x',
        input: 1,
        outcome: 'ok',
        calledAt: 0,
        returnedAt: 5,
      }),
    ])
  })

  test.each([
    ['is not JSON', ['{'], 'line 1: is not JSON'],
    ['is an array', ['[]'], 'line 1: is not a JSON object but an array'],
    ['has no process', [line({ ...call, process: undefined })], 'line 1: field process is missing'],
    [
      'has a wrong type',
      [line({ ...call, type: 'invoke' })],
      'line 1: field type is "invoke", but must be "call" or "return"',
    ],
    ['has no time', [line({ ...call, time: '0' })], 'line 1: field time is "0", but must be a finite number'],
    ['has an empty op', [line({ ...call, op: '' })], 'line 1: field op is "", but must be a text'],
    ['has a list as key', [line({ ...call, key: [] })], 'line 1: field key is an array'],
    [
      'returns without an outcome',
      [line(call), line({ ...end, outcome: undefined })],
      'line 2: field outcome is missing',
    ],
    [
      'returns without a call',
      ['', line(end)],
      'line 2: field process: process "1" returns without an open call',
    ],
    [
      'calls twice',
      [line(call), line(call)],
      'line 2: field process: process "1" calls write while its call at line 1 is open',
    ],
    [
      'returns another op',
      [line(call), line({ ...end, op: 'read' })],
      'line 2: field op: "read" is not that of the call at line 1, "write"',
    ],
    ['goes back in time', [line(call), line({ ...end, time: -1 })], 'line 2: field time: -1 is before 0'],
    [
      'acts after an unknown outcome',
      [line(call), line({ ...end, outcome: 'unknown' }), line({ ...call, time: 9 })],
      'line 3: field process: process "1" acts again after its outcome became unknown at line 2',
    ],
    [
      'is nested too deeply',
      [`{"process":1,"type":"call","op":"w","time":0,"value":${'['.repeat(100)}${']'.repeat(100)}}`],
      'line 1: field value is nested deeper than 64 levels',
    ],
  ])('a history that %s is refused with its line and field', (_title, lines, message) => {
    expect(() => parseHistory(lines.join('\n'))).toThrowError(
      expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining(message) }),
    )
  })

  test('a history over a bound is refused', () => {
    const text = `${line(call)}\n${line(end)}\n`
    const refused = expect.objectContaining({ code: 'too-large' })
    expect(() => parseHistory(text, { ...historyLimits, eventsMax: 1 })).toThrowError(refused)
    expect(() => parseHistory(text, { ...historyLimits, lineCharactersMax: 20 })).toThrowError(refused)
  })

  test('whatever the text, it ends in operations or in an error that names a line', () => {
    const member = fc.oneof(fc.jsonValue(), fc.constantFrom('call', 'return', 'ok', 'unknown', 'p', 1))
    const names = fc.constantFrom(
      'process',
      'type',
      'op',
      'key',
      'value',
      'time',
      'outcome',
      'id',
      '__proto__',
    )
    const lines = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.dictionary(names, member).map(line),
      fc.constantFrom(line(call), line(end), line({ ...end, outcome: 'unknown' })),
    )
    fc.assert(
      fc.property(fc.array(lines, { maxLength: 6 }), fc.nat(200), (all, cut) => {
        const text = all.join('\n')
        for (const candidate of [text, text.slice(0, cut)]) {
          try {
            for (const operation of parseHistory(candidate))
              expect(operation.returnedAt).toBeGreaterThanOrEqual(operation.calledAt)
          } catch (error) {
            if (!isAlthingError(error)) throw error
            expect(error.message).toMatch(/^line \d+: /)
          }
        }
      }),
      { numRuns: 2000, seed: 3 },
    )
  })
})

describe('recording', () => {
  test('what is recorded is read back the same', () => {
    const recorder = new HistoryRecorder(ticking())
    const first = recorder.call('a', 'write', { key: 'x', value: { deep: [1, null] } })
    recorder.call('b', 'read', { key: 'x' }).ok(null)
    first.ok()
    recorder.call('a', 'write', { value: 2 }).fail('refused')
    recorder.call('b', 'read').unknown()
    expect(parseHistory(formatHistory(recorder.events))).toEqual(recorder.operations())
    expect(recorder.operations().map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'fail', 'unknown'])
  })

  test('a sink gets every line, and nothing is kept', () => {
    const lines: string[] = []
    const recorder = new HistoryRecorder(ticking(), { sink: (text) => lines.push(text) })
    recorder.call('a', 'read').ok(1)
    expect(recorder.events).toEqual([])
    expect(pairOperations(lines.map((text) => JSON.parse(text) as HistoryEvent))).toHaveLength(1)
  })

  test('past its bound it refuses calls, and still takes the returns of those it has', () => {
    const recorder = new HistoryRecorder(ticking(), { callsMax: 1 })
    const open = recorder.call('a', 'read')
    expect(() => recorder.call('b', 'read')).toThrowError(expect.objectContaining({ code: 'overloaded' }))
    open.ok(1)
    expect(recorder.events).toHaveLength(2)
  })

  test('a process cannot act twice at once, nor after an unknown outcome', () => {
    const recorder = new HistoryRecorder(ticking())
    const open = recorder.call('a', 'read')
    expect(() => recorder.call('a', 'read')).toThrowError(/one call open/)
    open.unknown()
    expect(() => recorder.call('a', 'read')).toThrowError(/one call open/)
  })

  test('a client takes a new process id after an unknown outcome, and only then', async () => {
    const recorder = new HistoryRecorder(ticking())
    const client = recorder.client('c')
    const failing = (error: Error) =>
      client.perform(
        'put',
        { value: 1 },
        () => Promise.reject(error),
        () => null,
      )
    await expect(failing(new AlthingError('conflict', 'no', { outcome: 'none' }))).rejects.toThrow('no')
    expect(client.process).toBe('c')
    await expect(failing(new AlthingError('timeout', 'late', { outcome: 'unknown' }))).rejects.toThrow('late')
    await expect(failing(new Error('who knows'))).rejects.toThrow('who knows')
    expect(
      await client.perform(
        'get',
        {},
        () => Promise.resolve(4),
        (value) => value,
      ),
    ).toBe(4)
    const seen = recorder.operations().map(({ process, outcome }) => [process, outcome])
    expect(seen).toEqual([
      ['c', 'fail'],
      ['c', 'unknown'],
      ['c#2', 'unknown'],
      ['c#3', 'ok'],
    ])
  })
})
