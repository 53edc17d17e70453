import { expect, test } from 'vitest'
import type { Item } from './items.ts'
import { NodeImage } from './node-image.ts'
import type { RetiredGroup } from './retired-groups.ts'

const initialConfiguration = { voters: [1] }

function start(group: number, term = 1, vote = 1): Item {
  return { type: 'group', group, start: { nextIndex: 1, hardState: { term, vote }, initialConfiguration } }
}

const gone: Item = { type: 'gone', group: 3, last: 5 }

function retired(group: number, { term = 7, vote = 2, index = 40, lastTerm = 6 } = {}): Item {
  return { type: 'retired', group, kept: { hardState: { term, vote }, last: { index, term: lastTerm } } }
}

/** Group 2 has a new copy, group 6 has none. */
const beginning = [start(1), start(2, 7, 2), gone, retired(2), retired(6)]

function begun(): NodeImage {
  const image = new NodeImage()
  expect(image.begin(beginning)).toBeUndefined()
  return image
}

test('a segment goes on with what the ones before it have made', () => {
  const image = begun()
  expect(image.compare(beginning)).toBeUndefined()
  expect(image.apply({ type: 'created', group: 9, initialConfiguration })).toBeUndefined()
  expect(image.apply({ type: 'removed', group: 2 })).toBeUndefined()
  expect(image.apply({ type: 'hardState', group: 9, hardState: { term: 4, vote: 1 } })).toBeUndefined()
  expect(
    image.compare([start(1), start(9, 4), { type: 'gone', group: 2, last: 5 }, retired(6)]),
  ).toBeUndefined()
})

test('a group that is retired and made again goes on with the term and vote that were kept, and without its log', () => {
  const image = begun()
  const entry = { index: 1, term: 1, kind: 'command' as const, data: new Uint8Array(3) }
  expect(image.apply({ type: 'entry', group: 1, entry })).toBeUndefined()
  expect(image.apply({ type: 'hardState', group: 1, hardState: { term: 9, vote: 3 } })).toBeUndefined()
  expect(image.apply(retired(1, { term: 9, vote: 3, index: 1, lastTerm: 1 }))).toBeUndefined()
  expect(image.groups.has(1)).toBe(false)
  expect(image.apply({ type: 'created', group: 1, initialConfiguration: { voters: [] } })).toBeUndefined()
  const { log } = image.groups.get(1) as {
    log: { hardState: object; entries: readonly unknown[]; nextIndex: number }
  }
  expect([log.hardState, log.entries, log.nextIndex]).toEqual([{ term: 9, vote: 3 }, [], 1])
  const kept: RetiredGroup = { hardState: { term: 9, vote: 3 }, last: { index: 1, term: 1 } }
  expect(image.retired.get(1)).toEqual(kept)
})

test('a group that is only retired can be removed, and is then no more', () => {
  const image = begun()
  expect(image.apply({ type: 'removed', group: 6 })).toBeUndefined()
  expect([image.retired.has(6), image.removed.has(6)]).toEqual([false, true])
  expect(image.apply({ type: 'created', group: 6, initialConfiguration })).toBeTypeOf('string')
  expect(image.apply({ type: 'removed', group: 6 })).toBeTypeOf('string')
})

test.each([
  ['a group is left out', [start(1), ...beginning.slice(2)]],
  ['a group is added', [...beginning, start(8)]],
  ['a group is another', [start(1), start(6, 7, 2), ...beginning.slice(2)]],
  ['a term is another', [start(1), start(2, 8, 2), ...beginning.slice(2)]],
  ['a vote is another', [start(1), start(2, 7, 1), ...beginning.slice(2)]],
  ['a removed group is forgotten', beginning.filter((item) => item !== gone)],
  [
    'more groups are said to be removed',
    [...beginning.filter((item) => item !== gone), { ...gone, last: 6 } as Item],
  ],
  ['what is kept of a retired group is forgotten', beginning.slice(0, 4)],
  ['another group is said to be retired', [...beginning.slice(0, 4), retired(1)]],
  ['one more group is said to be retired', [...beginning, retired(1)]],
  ['the kept term is another', [...beginning.slice(0, 4), retired(6, { term: 8 })]],
  ['the kept vote is another', [...beginning.slice(0, 4), retired(6, { vote: 0 })]],
  ['the kept end of the log is another', [...beginning.slice(0, 4), retired(6, { index: 41 })]],
  ['the kept term of the last entry is another', [...beginning.slice(0, 4), retired(6, { lastTerm: 5 })]],
])('it is refused when %s', (_, items) => {
  expect(begun().compare(items)).toBeTypeOf('string')
})

test.each<[string, Item]>([
  ['an entry of no group', { type: 'hardState', group: 4, hardState: { term: 1, vote: 1 } }],
  ['a group made twice', { type: 'created', group: 1, initialConfiguration }],
  ['a removed group made again', { type: 'created', group: 4, initialConfiguration }],
  ['a removal of no group', { type: 'removed', group: 8 }],
  ['a retirement of no group', retired(8)],
  ['a retirement of a group that has no copy any more', retired(6)],
  ['a retirement with another term', retired(1, { term: 2, vote: 1 })],
  ['a retirement with another vote', retired(1, { term: 1, vote: 2 })],
  ['a retirement at an earlier end of the log than the last one', retired(2, { index: 39 })],
  [
    'a change of a group that is only retired',
    { type: 'hardState', group: 6, hardState: { term: 8, vote: 1 } },
  ],
  ['what stands only at the start', start(8)],
  ['what stands only at the start, of removed groups', gone],
])('%s is refused', (_, item) => {
  expect(begun().apply(item)).toBeTypeOf('string')
})

test('an entry is refused at the start', () => {
  expect(new NodeImage().begin([{ type: 'removed', group: 1 }])).toBeTypeOf('string')
})
