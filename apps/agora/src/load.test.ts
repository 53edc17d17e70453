import { describe, expect, test } from 'vitest'
import { AgentPlan, Popularity } from './agent-plan.ts'
import { Corpus } from './corpus.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import { limits } from './limits.ts'
import { LoadReport, renderSummary } from './load-report.ts'
import { SeededRandom } from './seeded-random.ts'

const options = { meanPauseMs: 1_000, followsMax: 5 }

function actionsOf(seed: number, count: number): string[] {
  const popularity = new Popularity()
  for (let i = 0; i < 50; i++) popularity.joined(`a${i}`)
  const plan = new AgentPlan('me', new SeededRandom(seed), popularity, options)
  return Array.from({ length: count }, () => {
    const action = plan.next()
    if (action.kind !== 'follow') return action.kind
    plan.followed(action.handle)
    return `follow ${action.handle}`
  })
}

describe('an agent of the load', () => {
  test('does the same for the same seed, and other things for another', () => {
    expect(actionsOf(7, 100)).toEqual(actionsOf(7, 100))
    expect(actionsOf(8, 100)).not.toEqual(actionsOf(7, 100))
  })

  test('first follows a few others, then mostly reads, and never follows more than allowed or anyone twice', () => {
    const actions = actionsOf(1, 2_000)
    expect(actions.slice(0, 3).every((action) => action.startsWith('follow'))).toBe(true)
    const follows = actions.filter((action) => action.startsWith('follow'))
    expect(follows).toHaveLength(options.followsMax)
    expect(new Set(follows).size).toBe(follows.length)
    const reads = actions.filter((action) => action === 'read').length
    expect(reads / actions.length).toBeGreaterThan(0.6)
    expect(reads / actions.length).toBeLessThan(0.8)
  })

  test('prefers those whom many follow', () => {
    const popularity = new Popularity()
    for (let i = 0; i < 10; i++) popularity.joined(`a${i}`)
    for (let i = 0; i < 90; i++) popularity.followed('a0')
    const random = new SeededRandom(3)
    const draws = Array.from({ length: 1_000 }, () => popularity.draw(random, new Set()))
    expect(draws.filter((handle) => handle === 'a0').length).toBeGreaterThan(850)
    expect(popularity.draw(random, new Set(draws as string[]))).toBeUndefined()
  })

  test('acts at the rate asked for, on average', () => {
    const plan = new AgentPlan('me', new SeededRandom(5), new Popularity(), options)
    const pauses = Array.from({ length: 5_000 }, () => plan.pauseMs())
    const mean = pauses.reduce((sum, pause) => sum + pause, 0) / pauses.length
    expect(mean).toBeGreaterThan(900)
    expect(mean).toBeLessThan(1_100)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(10_000)
  })
})

describe('the corpus', () => {
  test('gives posts that Agora takes, of real text, in great number', async () => {
    const corpus = await Corpus.load()
    const random = new SeededRandom(1)
    const posts = Array.from({ length: 3_000 }, () => corpus.post(random))
    for (const post of posts) {
      expect(post.length).toBeLessThanOrEqual(limits.postLengthMax)
      expect(post.trim().length).toBeGreaterThan(0)
    }
    expect(new Set(posts).size).toBeGreaterThan(600)
    expect(corpus.reply(random, 'bob')).toMatch(/^@bob [A-Z]/)
  })

  test('cuts long passages at the end of a sentence, or at a word when there is none', () => {
    const sentence = `${'word '.repeat(40)}end.`
    const cut = new Corpus([`${sentence} Next ${sentence} Next ${sentence}`]).post(new SeededRandom(1))
    expect(cut.endsWith('end.')).toBe(true)
    expect(new Corpus(['word '.repeat(200)]).post(new SeededRandom(1))).toMatch(/word…$/)
  })
})

describe('the report', () => {
  test('percentiles are right to 3 %, whatever the order and after merging', () => {
    const odd = new LatencyHistogram()
    const even = new LatencyHistogram()
    for (let ms = 1_000; ms >= 1; ms--) (ms % 2 === 0 ? even : odd).add(ms)
    odd.merge(even)
    for (const [percent, exact] of [
      [50, 500],
      [90, 900],
      [99, 990],
    ] as const) {
      expect(Math.abs(odd.percentile(percent) / exact - 1)).toBeLessThan(0.03)
    }
    expect([odd.count, odd.max, odd.percentile(100)]).toEqual([1_000, 1_000, 1_000])
    expect(new LatencyHistogram().percentile(99)).toBe(0)
  })

  test('counts sessions kept among the requests of connected agents whose node is known', () => {
    const report = new LoadReport()
    report.answeredBy('a', 'a')
    report.answeredBy('b', 'a')
    report.answeredBy('b', undefined)
    report.answeredBy(undefined, 'a')
    const summary = report.summary({ agents: 1, connected: 1, seconds: 2 })
    expect(summary).toMatchObject({ sessionsKept: 0.5, sessionRequests: 2, nodes: { a: 1, b: 2 } })
  })

  test('names each kind of error, the most frequent first, and bounds the kinds', () => {
    const report = new LoadReport()
    report.succeeded('read', 5)
    report.failed('ECONNRESET')
    report.failed('503 unavailable')
    report.failed('503 unavailable')
    const summary = report.summary({ agents: 1, connected: 0, seconds: 2 })
    expect(Object.entries(summary.errors)).toEqual([
      ['503 unavailable', 2],
      ['ECONNRESET', 1],
    ])
    expect([summary.errorShare, summary.requestsPerSecond]).toEqual([0.75, 2])
    expect(renderSummary(summary)).toMatch(/503 unavailable: 2/)
    for (let i = 0; i < 1_000; i++) report.failed(`kind ${i}`)
    expect(Object.keys(report.summary({ agents: 1, connected: 0, seconds: 2 }).errors).length).toBeLessThan(
      60,
    )
  })

  test('a line is of its own second', () => {
    const report = new LoadReport()
    report.succeeded('read', 1)
    expect(report.line(1)).toMatch(/ 1s {7}1 req\/s/)
    expect(report.line(2)).toMatch(/ 2s {7}0 req\/s/)
  })
})
