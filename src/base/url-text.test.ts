import { expect, test } from 'vitest'
import { withoutCredentials } from './url-text.ts'

test('an URL is shown without who calls and with which password, whatever is in it', () => {
  expect(withoutCredentials('postgres://app:se/cr@et:x@db:5432/app')).toBe('postgres://***@db:5432/app')
  expect(withoutCredentials('nats://token@one:4222,nats://token@two:4222')).toBe('nats://***@two:4222')
  expect(withoutCredentials('redis://:p%40ss\nword@h')).toBe('redis://***@h')
  expect(withoutCredentials('etcd://one:2379,two:2379')).toBe('etcd://one:2379,two:2379')
})
