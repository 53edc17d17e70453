import { beforeEach, describe, expect, test } from 'vitest'
import { Agora } from './agora.ts'
import { open, type Store } from './althing.ts'
import { Audience } from './audience.ts'
import { limits } from './limits.ts'
import { PostFeed } from './post-feed.ts'
import type { Post } from './records.ts'

let store: Store
let agora: Agora
let nowMs = 0

beforeEach(async () => {
  const althing = await open('memory:')
  store = althing.raw
  nowMs = 1_000
  agora = new Agora({ store, wallMs: () => nowMs++ })
  return () => althing.close()
})

const tokenOf = (handle: string): string => `secret-of-${handle}-0123456789`
const join = (handle: string): ReturnType<Agora['register']> =>
  agora.register({ handle, token: tokenOf(handle) })

describe('registration', () => {
  test('of fifty at once for one handle, exactly one gets it', async () => {
    const tries = Array.from({ length: 50 }, (_, i) =>
      agora.register({ handle: 'ada', token: `${tokenOf('ada')}${i}` }),
    )
    const results = await Promise.allSettled(tries)
    const failures = results.filter((result) => result.status === 'rejected')
    expect(failures).toHaveLength(49)
    for (const { reason } of failures) expect(reason).toMatchObject({ code: 'conflict', outcome: 'none' })
  })

  test('a retry by the same agent finds itself registered', async () => {
    expect((await join('ada')).isNew).toBe(true)
    const again = await join('ada')
    expect(again).toMatchObject({ isNew: false, profile: { handle: 'ada', name: 'ada', joinedMs: 1_000 } })
  })

  test('an agent is known by its token alone, also by a worker that did not register it', async () => {
    await join('ada')
    const other = new Agora({ store, wallMs: () => 0 })
    await other.authenticate('ada', tokenOf('ada'))
    for (const [handle, token] of [
      ['ada', tokenOf('bob')],
      ['bob', tokenOf('bob')],
    ] as const) {
      await expect(other.authenticate(handle, token)).rejects.toMatchObject({ code: 'permission-denied' })
    }
  })
})

describe('following', () => {
  test('is counted on both sides, once, and can be taken back', async () => {
    await Promise.all(['ada', 'bob', 'eve'].map(join))
    expect(await agora.follow('ada', 'bob')).toEqual(['bob'])
    expect(await agora.follow('ada', 'bob')).toEqual(['bob'])
    await agora.follow('eve', 'bob')
    expect(await agora.profile('bob')).toMatchObject({ followers: 2, following: 0 })
    expect(await agora.profile('ada')).toMatchObject({ followers: 0, following: 1 })
    expect(await agora.unfollow('ada', 'bob')).toEqual([])
    expect(await agora.profile('bob')).toMatchObject({ followers: 1 })
  })

  test('loses nothing when one agent follows many at once', async () => {
    const others = ['b1', 'b2', 'b3', 'b4']
    await Promise.all(['ada', ...others].map(join))
    await Promise.all(others.map((other) => agora.follow('ada', other)))
    expect([...(await agora.following('ada'))].sort()).toEqual(others)
  })

  test('oneself, nobody, or too many is refused', async () => {
    await join('ada')
    await expect(agora.follow('ada', 'ada')).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(agora.follow('ada', 'nobody')).rejects.toMatchObject({ code: 'not-found' })
    const others = Array.from({ length: limits.followsMax + 1 }, (_, i) => `x${i}`)
    await Promise.all(others.map(join))
    for (const other of others.slice(0, limits.followsMax)) await agora.follow('ada', other)
    await expect(agora.follow('ada', others.at(-1) as string)).rejects.toMatchObject({ code: 'too-large' })
    expect(await agora.following('ada')).toHaveLength(limits.followsMax)
  })

  test('a handle that begins like another has followers of its own', async () => {
    await Promise.all(['al', 'al-2', 'al2', 'bob'].map(join))
    await agora.follow('bob', 'al2')
    await agora.follow('bob', 'al-2')
    expect(await agora.profile('al')).toMatchObject({ followers: 0 })
  })
})

describe('posts and timelines', () => {
  test('a timeline has own posts and those of the followed, newest first, and no others', async () => {
    await Promise.all(['ada', 'bob', 'eve'].map(join))
    await agora.follow('ada', 'bob')
    for (const author of ['bob', 'eve', 'ada', 'bob']) await agora.post(author, { text: `by ${author}` })
    const ids = (await agora.timeline('ada', 10)).map(({ id }) => id)
    expect(ids).toEqual(['bob/2', 'ada/1', 'bob/1'])
    expect((await agora.timeline('ada', 1)).map(({ id }) => id)).toEqual(['bob/2'])
  })

  test('posts made at once are all there, each with its own number', async () => {
    await join('ada')
    await Promise.all([1, 2, 3, 4].map((n) => agora.post('ada', { text: `n${n}` })))
    const posts = await agora.postsOf('ada')
    expect(posts.map(({ id }) => id)).toEqual(['ada/4', 'ada/3', 'ada/2', 'ada/1'])
    expect(posts.map(({ text }) => text).sort()).toEqual(['n1', 'n2', 'n3', 'n4'])
  })

  test('a retry with the same key makes no second post', async () => {
    await join('ada')
    const first = await agora.post('ada', { text: 'hello', retryKey: 'k' })
    expect(await agora.post('ada', { text: 'hello', retryKey: 'k' })).toEqual(first)
    expect(await agora.profile('ada')).toMatchObject({ posts: 1 })
  })

  test('old posts are forgotten, their number is not', async () => {
    await join('ada')
    for (let i = 0; i < limits.postsPerAuthorMax + 5; i++) await agora.post('ada', { text: `n${i}` })
    expect(await agora.postsOf('ada')).toHaveLength(limits.postsPerAuthorMax)
    expect(await agora.profile('ada')).toMatchObject({ posts: limits.postsPerAuthorMax + 5 })
  })

  test('posts of an unknown agent are not-found', async () => {
    await expect(agora.postsOf('nobody')).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('live posts', () => {
  test('reach exactly the connected followers, once each, in order', async () => {
    await Promise.all(['ada', 'bob', 'eve'].map(join))
    const heard: string[] = []
    const audience = new Audience()
    const listen = (handle: string) => ({
      handle,
      send: (message: object) => heard.push(`${handle}<${(message as { post: Post }).post.id}`),
    })
    const ada = listen('ada')
    audience.set(ada, ['bob'])
    audience.set(listen('eve'), ['ada'])
    let remaining = 3
    await new Promise<void>((resolve) => {
      const feed = new PostFeed(store, (post) => {
        audience.publish(post)
        if (--remaining === 0) {
          feed.close()
          resolve()
        }
      })
      void feed.run()
      void (async () => {
        await agora.post('bob', { text: 'one' })
        await agora.post('ada', { text: 'two' })
        await agora.post('bob', { text: 'three' })
      })()
    })
    expect(heard).toEqual(['ada<bob/1', 'eve<ada/1', 'ada<bob/2'])
    audience.remove(ada)
    expect(audience.publish({ id: 'bob/3', author: 'bob', text: '', atMs: 0 })).toBe(0)
  })

  test('a change of follows counts for every socket of the agent', () => {
    const audience = new Audience()
    const heard: object[] = []
    const socket = { handle: 'ada', send: (message: object) => void heard.push(message) }
    audience.set(socket, [])
    audience.set({ ...socket }, [])
    audience.followsChanged('ada', ['bob'])
    expect(audience.publish({ id: 'bob/1', author: 'bob', text: '', atMs: 0 })).toBe(2)
  })
})
