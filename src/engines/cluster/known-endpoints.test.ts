import { describe, expect, test } from 'vitest'
import { KnownEndpoints, troubleMs } from './known-endpoints.ts'

const member = (id: number, address = `m${id}`) => ({ id, address })

describe('the endpoints a client knows', () => {
  test('are those it was given, until a node tells of the members', () => {
    const known = new KnownEndpoints(['b', 'a', 'b'])
    expect(known.inOrder(0)).toEqual(['b', 'a'])
    known.learn([member(1), member(2)], 5)
    expect(known.inOrder(0)).toEqual(['m1', 'm2', 'b', 'a'])
  })

  test('are tried leader first, and those in trouble last for a while', () => {
    const known = new KnownEndpoints(['m1'])
    known.learn([member(1), member(2), member(3)], 1)
    known.leaderIs(3, 'm1')
    expect(known.inOrder(0)).toEqual(['m3', 'm1', 'm2'])
    known.troubled('m3', 0)
    known.troubled('m1', 1)
    expect(known.leader).toBe(0)
    expect(known.inOrder(1)).toEqual(['m2', 'm3', 'm1'])
    expect(known.inOrder(troubleMs)).toEqual(['m2', 'm3', 'm1'])
    expect(known.inOrder(troubleMs + 1)).toEqual(['m1', 'm2', 'm3'])
  })

  test('follow the newest word of the members, whoever tells an older one later', () => {
    const known = new KnownEndpoints(['m1'])
    expect(known.learn([member(1), member(2)], 7)).toBe(true)
    expect(known.learn([member(1), member(9)], 6)).toBe(false)
    expect(known.addressOf(9)).toBeUndefined()
    expect(known.learn([member(2), member(3)], 8)).toBe(true)
    expect(known.learn([member(2), member(3)], 8)).toBe(false)
    expect(known.addressOf(1)).toBeUndefined()
  })

  test('no longer want the connection to a member that has left, even where its address was given', () => {
    const known = new KnownEndpoints(['m1', 'balancer'])
    known.learn([member(1), member(2)], 1)
    expect(['m1', 'm2', 'balancer', 'other'].map((address) => known.isWanted(address))).toEqual([
      true,
      true,
      true,
      false,
    ])
    known.learn([member(2)], 2)
    expect(known.isWanted('m1')).toBe(false)
    // As a last resort it is still dialled: all others may have moved while nobody called.
    expect(known.inOrder(0)).toEqual(['m2', 'm1', 'balancer'])
    known.learn([member(1), member(2)], 3)
    expect(known.isWanted('m1')).toBe(true)
  })

  test('take a member that moved for the same one', () => {
    const known = new KnownEndpoints(['m1'])
    known.learn([member(1), member(2)], 1)
    known.leaderIs(2, 'm1')
    known.learn([member(1), member(2, 'moved')], 2)
    expect(known.leaderAddress).toBe('moved')
    expect(known.isWanted('m2')).toBe(false)
  })

  test('lose their leader only on the word of others that lead, or on its own', () => {
    const known = new KnownEndpoints(['m1'])
    known.learn([member(1), member(2)], 1)
    known.leaderIs(2, 'm1')
    known.leaderIs(0, 'm1')
    expect(known.leader).toBe(2)
    known.leaderIs(0, 'm2')
    expect(known.leader).toBe(0)
  })
})
