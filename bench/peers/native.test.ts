import { describe, expect, test } from 'vitest'
import { putFrame } from './etcd-native.ts'
import { reportFrom } from './h2load.ts'

const output = (failed = 0, statuses = 300) => `
finished in 3.00s, 10364.33 req/s, 2.61MB/s
requests: 300 total, 300 started, 300 done, ${300 - failed} succeeded, ${failed} failed, 0 errored, 0 timeout
status codes: ${statuses} 2xx, 0 3xx, 0 4xx, 0 5xx
                     min         max         mean         sd        +/- sd
time for request:      812us     31.62ms      5.94ms      2.57ms    74.05%
time for connect:       85us       261us       160us        53us    62.50%`

describe('a native client', () => {
  test('sends a put as one gRPC message', () => {
    const value = Buffer.alloc(256, 0x61)
    const frame = putFrame(Buffer.from('k'), value)
    // 3 bytes of the key's field, then tag, a length of two bytes, and the value.
    expect([...frame.subarray(0, 11)]).toEqual([0, 0, 0, 1, 6, 0x0a, 1, 0x6b, 0x12, 0x80, 2])
    expect(frame.subarray(11).equals(value)).toBe(true)
  })

  test('is read by its closing lines', () => {
    expect(reportFrom(output())).toEqual({ requestsPerSecond: 10_364.33, meanMs: 5.94 })
  })

  test.each([output(1), output(0, 299), 'no connection'])('with a failure has no result', (text) => {
    expect(() => reportFrom(text)).toThrow('clean result')
  })
})
