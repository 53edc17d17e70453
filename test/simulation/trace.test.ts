import { expect, test } from 'vitest'
import { simulateStore, type TraceEvent, traceOf } from '../../src/testing/store-simulation/index.ts'
import { NodeClock } from '../../src/world/clock.ts'

test('a trace tells every start, event and message with the state of the node after it', async () => {
  const trace: TraceEvent[] = []
  const stepped = (step: Parameters<typeof traceOf>[0]): void => void trace.push(...traceOf(step))
  await simulateStore(
    { seed: 5, faults: ['restart'], nodes: 3, seconds: 10 },
    { clock: new NodeClock(), stepped },
  )
  const kinds = new Set(trace.map(({ event }) => event))
  for (const event of ['start', 'tick', 'receive', 'send', 'propose', 'persisted', 'applied', 'read']) {
    expect(kinds).toContain(event)
  }
  const { message, ...line } = trace.find(({ event }) => event === 'send') as TraceEvent
  expect(Object.keys(line)).toEqual(
    'time event node life role term vote leader commit applied log logTerm durable configuration'.split(' '),
  )
  expect(message).toMatchObject({ from: line.node, type: expect.any(String), term: expect.any(Number) })
  expect(trace.some(({ life }) => life > 1)).toBe(true)
  const appended = trace.find((each) => (each.message?.['entries'] as unknown[] | undefined)?.length)
  expect(appended?.message?.['entries']).toContainEqual({
    index: expect.any(Number),
    term: expect.any(Number),
    kind: expect.any(String),
  })
})
