import { describe, expect, test } from 'vitest'
import { encodeMutation } from '../../models/store/codec.ts'
import { LogMachine } from './log-machine.ts'
import { encodeMessage, type LogItem } from './log-message.ts'

const ttlMs = 1_000
const startMs = 1_700_000_000_000

/** A machine, to which messages are given one after the other, each with its stamp. */
class Script {
  readonly machine = new LogMachine({ changed: () => undefined, renewed: () => undefined })
  #sequence = 0

  /** Returns the place of the message. */
  say(atMs: number, ...items: readonly LogItem[]): number {
    const sequence = ++this.#sequence
    const data = encodeMessage({ writer: '00'.repeat(8), number: sequence, items })
    this.machine.apply({ sequence, timeMs: startMs + atMs, data })
    return sequence
  }

  grant(atMs: number): number {
    const stamp = { session: 0, sequence: 0, acknowledged: 0 }
    return this.say(atMs, { kind: 'command', data: encodeMutation({ type: 'grantLease', ttlMs }, stamp) })
  }

  get hasLease(): boolean {
    return this.machine.model.hasLease(1)
  }
}

describe('the end of a lease in the log', () => {
  test('comes when its writer has seen the time pass, and the stamps say so too', () => {
    const script = new Script()
    const granted = script.grant(0)
    script.say(ttlMs - 1, { kind: 'expire', through: granted, leases: [1] })
    expect(script.hasLease).toBe(true)
    script.say(ttlMs, { kind: 'expire', through: granted, leases: [1] })
    expect(script.hasLease).toBe(false)
  })

  test('is passed over when a renewal stands between what its writer had read and itself', () => {
    const script = new Script()
    const granted = script.grant(0)
    const renewed = script.say(500, { kind: 'renew', leases: [1] })
    script.say(500 + ttlMs, { kind: 'expire', through: granted, leases: [1] })
    expect(script.hasLease).toBe(true)
    script.say(500 + ttlMs, { kind: 'expire', through: renewed, leases: [1] })
    expect(script.hasLease).toBe(false)
  })

  test('is passed over when only a step of the server\u2019s clock makes the time over', () => {
    const long = 60_000
    const script = new Script()
    const stamp = { session: 0, sequence: 0, acknowledged: 0 }
    const data = encodeMutation({ type: 'grantLease', ttlMs: long }, stamp)
    const granted = script.say(0, { kind: 'command', data })
    script.say(3_600_000, { kind: 'expire', through: granted, leases: [1] })
    expect(script.hasLease).toBe(true)
    // A step back costs nothing but the moment in which it happens.
    script.say(0, { kind: 'tick' })
    for (let atMs = 1_000; atMs < long - 2_000; atMs += 1_000) script.say(atMs, { kind: 'tick' })
    script.say(long - 2_001, { kind: 'expire', through: granted, leases: [1] })
    expect(script.hasLease).toBe(true)
    script.say(long - 2_000, { kind: 'expire', through: granted, leases: [1] })
    expect(script.hasLease).toBe(false)
  })
})
