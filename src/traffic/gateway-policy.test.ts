import { beforeAll, describe, expect, test } from 'vitest'
import type { ServiceInstance } from '../coordination/discovery/discovery-types.ts'
import { createKeyHash, type KeyHash } from '../protocols/ring/key-hash.ts'
import { parseRoutingOptions, type RoutingOptions } from './gateway-options.ts'
import { GatewayPolicy, type Route, type RouteQuestion } from './gateway-policy.ts'
import { instanceOf } from './given-live-set.ts'

let hash: KeyHash
beforeAll(async () => {
  hash = await createKeyHash()
})

/** A fixed sequence in [0, 1): tests of balance need no secrets. */
function sequence(): { float(): number; integer(): number; bytes(): Uint8Array } {
  let state = 1
  const float = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  return { float, integer: () => 0, bytes: () => new Uint8Array() }
}

function policyOf(instances: readonly ServiceInstance[], options: RoutingOptions = {}): GatewayPolicy {
  const policy = new GatewayPolicy(parseRoutingOptions(options), { hash, random: sequence(), nowMs: 0 })
  policy.setInstances(instances)
  return policy
}

function questionOf(user: string, changes: Partial<RouteQuestion> = {}): RouteQuestion {
  return {
    identity: { kind: 'user', key: `user:${user}`, address: '' },
    isUpgrade: false,
    failedIds: new Set(),
    keepSession: false,
    ...changes,
  }
}

function send(policy: GatewayPolicy, question: RouteQuestion, nowMs = 0): Route {
  const route = policy.route(question, nowMs)
  policy.commit(question, route, nowMs)
  return route
}

function sendTo(policy: GatewayPolicy, user: string, nowMs = 0): string {
  const route = send(policy, questionOf(user), nowMs)
  return route.kind === 'to' ? route.instance.id : route.cause
}

const users = Array.from({ length: 600 }, (_, i) => `u${i}`)
const abc = (): ServiceInstance[] => [instanceOf('a'), instanceOf('b'), instanceOf('c')]
const without = (id: string): ServiceInstance[] => abc().filter((instance) => instance.id !== id)
const withA = (changes: Partial<ServiceInstance>): ServiceInstance[] => [
  instanceOf('a', changes),
  instanceOf('b'),
  instanceOf('c'),
]
const unhealthy = { state: 'unhealthy', flapping: false, results: [] } as const

function placements(policy: GatewayPolicy, nowMs = 0): Map<string, string> {
  return new Map(users.map((user) => [user, sendTo(policy, user, nowMs)]))
}

function movedUsers(before: Map<string, string>, after: Map<string, string>): string[] {
  return users.filter((user) => before.get(user) !== after.get(user))
}

describe('sessions', () => {
  test.each<[string, ServiceInstance[]]>([
    ['its death', without('a')],
    ['its illness', withA({ health: unhealthy })],
    ['its draining', withA({ state: 'draining' })],
  ])('%s moves only the sessions of that instance, to several others', (_title, later) => {
    const policy = policyOf(abc())
    const before = placements(policy)
    policy.setInstances(later)
    const after = placements(policy)
    const moved = movedUsers(before, after)
    expect(moved).toEqual(users.filter((user) => before.get(user) === 'a'))
    expect(new Set(moved.map((user) => after.get(user)))).toEqual(new Set(['b', 'c']))
  })

  test('an instance that joins takes new clients only', () => {
    const policy = policyOf(abc())
    const before = placements(policy)
    policy.setInstances([...abc(), instanceOf('d')])
    expect(movedUsers(before, placements(policy))).toEqual([])
    const newcomers = Array.from({ length: 400 }, (_, i) => sendTo(policy, `new${i}`))
    expect(newcomers.filter((id) => id === 'd').length).toBeGreaterThan(50)
  })

  test('two gateways that share nothing agree on every client', () => {
    expect(placements(policyOf(abc()))).toEqual(placements(policyOf(abc().reverse())))
  })

  test('a session that moved stays where it went when its first instance comes back', () => {
    const policy = policyOf(abc())
    placements(policy)
    policy.setInstances(without('a'))
    const moved = placements(policy)
    policy.setInstances(abc())
    expect(movedUsers(moved, placements(policy))).toEqual([])
  })

  test('a move says from where and why', () => {
    const policy = policyOf([instanceOf('a')])
    send(policy, questionOf('u'))
    policy.setInstances([instanceOf('b')])
    expect(send(policy, questionOf('u'))).toMatchObject({
      reason: 'moved',
      instance: { id: 'b' },
      movedFrom: { instanceId: 'a', cause: 'gone' },
    })
    expect(send(policy, questionOf('u'))).toMatchObject({ reason: 'session', instance: { id: 'b' } })
  })

  test('a draining instance keeps a session that holds a tunnel, and gets no new tunnel', () => {
    const policy = policyOf([instanceOf('a')])
    send(policy, questionOf('u'))
    policy.sessions.tunnelOpened('user:u', 'a')
    policy.setInstances([instanceOf('a', { state: 'draining' }), instanceOf('b')])
    expect(sendTo(policy, 'u')).toBe('a')
    expect(sendTo(policy, 'someone else')).toBe('b')
    expect(send(policy, questionOf('u', { isUpgrade: true }))).toMatchObject({
      instance: { id: 'b' },
      movedFrom: { instanceId: 'a', cause: 'draining' },
    })
  })

  test('a session is forgotten after its idle time, unless it holds a tunnel', () => {
    const policy = policyOf(abc(), { sessionIdle: 1_000 })
    sendTo(policy, 'idle')
    sendTo(policy, 'held')
    policy.sessions.tunnelOpened('user:held', policy.sessions.find('user:held', 0)?.instanceId ?? '')
    expect(policy.route(questionOf('idle'), 1_000)).toMatchObject({ reason: 'session' })
    expect(policy.route(questionOf('idle'), 1_001)).toMatchObject({ reason: 'balanced' })
    expect(policy.route(questionOf('held'), 50_000)).toMatchObject({ reason: 'session' })
  })

  test('the end of a tunnel from before the session moved away and back is not taken for that of a later one', () => {
    const { sessions } = policyOf(abc(), { sessionIdle: 1_000 })
    sessions.bind('user:1', 'a', 0)
    const first = sessions.tunnelOpened('user:1', 'a')
    sessions.bind('user:1', 'b', 0)
    sessions.bind('user:1', 'a', 0)
    sessions.tunnelOpened('user:1', 'a')
    sessions.tunnelClosed(first, 0)
    expect(sessions.find('user:1', 50_000)).toMatchObject({ instanceId: 'a', tunnels: 1 })
  })

  test('past the bound the session used least recently is forgotten', () => {
    const policy = policyOf(abc(), { sessionsMax: 3 })
    for (const user of ['w', 'x', 'y']) sendTo(policy, user)
    sendTo(policy, 'w')
    sendTo(policy, 'z')
    expect(policy.sessions.size).toBe(3)
    const known = ['w', 'x', 'y', 'z'].filter((user) => policy.sessions.find(`user:${user}`, 0) !== undefined)
    expect(known).toEqual(['w', 'y', 'z'])
    const counted = ['a', 'b', 'c'].reduce((sum, id) => sum + policy.sessions.countOn(id), 0)
    expect(counted).toBe(3)
  })

  test('a failure that leaves the instance in doubt moves the request, not the session', () => {
    const policy = policyOf(abc())
    const home = sendTo(policy, 'u')
    const retry = questionOf('u', { failedIds: new Set([home]), keepSession: true })
    expect(send(policy, retry)).toMatchObject({ movedFrom: { instanceId: home, cause: 'failed' } })
    expect(sendTo(policy, 'u')).toBe(home)
    send(policy, { ...retry, keepSession: false })
    expect(sendTo(policy, 'u')).not.toBe(home)
  })

  test('an instance at its bound is passed over for the one request', () => {
    const policy = policyOf(abc(), { requestsPerInstanceMax: 1 })
    const home = sendTo(policy, 'u')
    policy.count(home, 'requests', 1)
    expect(send(policy, questionOf('u'))).toMatchObject({ movedFrom: { instanceId: home, cause: 'full' } })
    policy.count(home, 'requests', -1)
    expect(sendTo(policy, 'u')).toBe(home)
  })
})

describe('who is asked', () => {
  test.each<[string, ServiceInstance[], string]>([
    ['nobody is registered', [], 'no-instances'],
    [
      'all are draining',
      abc().map((i) => ({ ...i, state: 'draining' as const })),
      'all-draining-or-unhealthy',
    ],
    ['all are unhealthy', abc().map((i) => ({ ...i, health: unhealthy })), 'all-draining-or-unhealthy'],
    ['all have weight 0', abc().map((i) => ({ ...i, weight: 0 })), 'all-draining-or-unhealthy'],
  ])('none when %s', (_title, instances, cause) => {
    expect(policyOf(instances).route(questionOf('u'), 0)).toEqual({ kind: 'none', cause })
  })

  test('none when the request has failed everywhere, or all are at their bound', () => {
    const policy = policyOf(abc(), { requestsPerInstanceMax: 1 })
    const failedIds = new Set(['a', 'b', 'c'])
    expect(policy.route(questionOf('u', { failedIds }), 0)).toEqual({ kind: 'none', cause: 'all-failed' })
    for (const id of failedIds) policy.count(id, 'requests', 1)
    expect(policy.route(questionOf('u'), 0)).toEqual({ kind: 'none', cause: 'all-full' })
  })

  test('weights are honoured by the ring', () => {
    const policy = policyOf([instanceOf('a', { weight: 300 }), instanceOf('b', { weight: 100 })])
    const onA = [...placements(policy).values()].filter((id) => id === 'a').length
    expect(onA / users.length).toBeGreaterThan(0.65)
    expect(onA / users.length).toBeLessThan(0.85)
  })
})

describe('ejection', () => {
  test('a refused connection ejects at once; its sessions move, others do not; it comes back after its time', () => {
    const policy = policyOf(abc(), { ejectFor: 1_000 })
    const before = placements(policy)
    expect(policy.record('a', 'refused', 'connect ECONNREFUSED', 0)).toBe(true)
    const after = placements(policy)
    expect(movedUsers(before, after)).toEqual(users.filter((user) => before.get(user) === 'a'))
    expect(policy.view(0).find(({ id }) => id === 'a')).toMatchObject({
      state: 'ejected',
      ejectedForMs: 1_000,
      ejectionCause: 'connect ECONNREFUSED',
    })
    expect(policy.view(1_000).find(({ id }) => id === 'a')?.state).toBe('up')
  })

  test('five failures in a row eject; a success between them starts the count anew', () => {
    const policy = policyOf(abc())
    for (let i = 0; i < 4; i++) expect(policy.record('a', 'failure', 'reset', 0)).toBe(false)
    policy.record('a', 'success', '', 0)
    for (let i = 0; i < 4; i++) expect(policy.record('a', 'failure', 'reset', 0)).toBe(false)
    expect(policy.record('a', 'failure', 'reset', 0)).toBe(true)
  })

  test('each ejection soon after another is twice as long, up to a bound, and a healthy time forgives', () => {
    const policy = policyOf(abc(), { ejectFor: 1_000, ejectForMax: 3_000 })
    const lengths: number[] = []
    let nowMs = 0
    for (let i = 0; i < 4; i++) {
      policy.record('a', 'refused', 'x', nowMs)
      const length = policy.view(nowMs)[0]?.ejectedForMs ?? 0
      lengths.push(length)
      nowMs += length
    }
    expect(lengths).toEqual([1_000, 2_000, 3_000, 3_000])
    policy.record('a', 'success', '', nowMs + 3_001)
    policy.record('a', 'refused', 'x', nowMs + 3_002)
    expect(policy.view(nowMs + 3_002)[0]?.ejectedForMs).toBe(1_000)
  })

  test('a new registration of the same id starts with a clean record', () => {
    const policy = policyOf(abc())
    policy.record('a', 'refused', 'x', 0)
    policy.setInstances(withA({ weight: 200 }))
    expect(policy.view(0)[0]?.state).toBe('ejected')
    policy.setInstances(withA({ registrationRevision: 2 }))
    expect(policy.view(0)[0]?.state).toBe('up')
  })

  test('no more than the share is ejected, and never the last', () => {
    const policy = policyOf(abc(), { ejectShareMax: 1 })
    expect(['a', 'b', 'c'].map((id) => policy.record(id, 'refused', 'x', 0))).toEqual([true, true, false])
    const half = policyOf(abc())
    expect(['a', 'b', 'c'].map((id) => half.record(id, 'refused', 'x', 0))).toEqual([true, false, false])
    expect(policyOf([instanceOf('a')]).record('a', 'refused', 'x', 0)).toBe(false)
  })

  test('when only ejected instances are left they are used all the same, and the route says so', () => {
    const policy = policyOf([instanceOf('a'), instanceOf('b')])
    policy.record('a', 'refused', 'x', 0)
    policy.setInstances([instanceOf('a'), instanceOf('b', { state: 'draining' })])
    expect(policy.route(questionOf('u'), 0)).toMatchObject({ reason: 'panic', instance: { id: 'a' } })
  })
})

describe('balancers', () => {
  const sent = (policy: GatewayPolicy, count: number): Record<string, number> => {
    const shares: Record<string, number> = {}
    for (let i = 0; i < count; i++) {
      const id = sendTo(policy, 'same client')
      shares[id] = (shares[id] ?? 0) + 1
      policy.count(id, 'requests', 1)
    }
    return shares
  }

  test('round robin goes round, smoothly by weight', () => {
    const policy = policyOf([instanceOf('a', { weight: 300 }), instanceOf('b')], { balancer: 'round-robin' })
    expect(Array.from({ length: 8 }, () => sendTo(policy, 'u')).join('')).toBe('aabaaaba')
  })

  test('random follows the weights', () => {
    const policy = policyOf([instanceOf('a', { weight: 300 }), instanceOf('b')], { balancer: 'random' })
    const { a = 0, b = 0 } = sent(policy, 2_000)
    expect(a / (a + b)).toBeCloseTo(0.75, 1)
  })

  test('least connections keeps loads equal', () => {
    expect(sent(policyOf(abc(), { balancer: 'least-connections' }), 300)).toEqual({ a: 100, b: 100, c: 100 })
  })

  test('two choices keeps loads closer together than random', () => {
    const spread = (balancer: 'two-choices' | 'random'): number => {
      const loads = Object.values(sent(policyOf(abc(), { balancer }), 3_000))
      return Math.max(...loads) - Math.min(...loads)
    }
    expect(spread('two-choices')).toBeLessThan(10)
    expect(spread('random')).toBeGreaterThan(10)
  })

  test('consistent hashing with a load factor bounds the sessions of each instance', () => {
    const policy = policyOf(abc(), { loadFactor: 1.05 })
    placements(policy)
    for (const id of ['a', 'b', 'c']) expect(policy.sessions.countOn(id)).toBeLessThanOrEqual(211)
    expect(policy.sessions.size).toBe(600)
  })

  test('with sticky off, a client goes wherever the balancer says', () => {
    expect(new Set(users.map(() => sendTo(policyOf(abc(), { balancer: 'round-robin' }), 'u'))).size).toBe(1)
    const policy = policyOf(abc(), { balancer: 'round-robin' })
    expect(new Set(users.map(() => sendTo(policy, 'u')))).toEqual(new Set(['a', 'b', 'c']))
    const sticky = policyOf(abc(), { balancer: 'round-robin', sticky: true })
    expect(new Set(users.map(() => sendTo(sticky, 'u'))).size).toBe(1)
  })
})

describe('options', () => {
  test.each<[string, RoutingOptions]>([
    ['balancer', { balancer: 'best' as 'random' }],
    ['loadFactor', { loadFactor: 1 }],
    ['userHeader', { userHeader: 'X-User' }],
    ['attemptsMax', { attemptsMax: 0 }],
    ['retryRatio', { retryRatio: 2 }],
    ['ejectFor', { ejectFor: 'soon' }],
    ['sessionsMax', { sessionsMax: 0.5 }],
    ['routeHeaders', { routeHeaders: 'all' as 'node' }],
  ])('%s out of its bounds is refused by name', (field, options) => {
    expect(() => parseRoutingOptions(options)).toThrow(
      expect.objectContaining({ code: 'invalid-argument', details: { field } }),
    )
  })

  test('the budget pays for a share of the requests, and for a few a second', () => {
    const { retries } = policyOf(abc(), { retryRatio: 0.5, retriesPerSecondMin: 1 })
    expect(retries.tryWithdraw(0)).toBe(true)
    expect(retries.tryWithdraw(0)).toBe(false)
    for (let i = 0; i < 4; i++) retries.deposit()
    expect([1, 2, 3].map(() => retries.tryWithdraw(0))).toEqual([true, true, false])
    expect(retries.tryWithdraw(1_000)).toBe(true)
    expect(retries.tryWithdraw(1_000)).toBe(false)
  })
})
