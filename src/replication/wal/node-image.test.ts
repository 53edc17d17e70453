import { expect, test } from 'vitest'
import type { Item } from './items.ts'
import { NodeImage } from './node-image.ts'

const initialConfiguration = { voters: [1] }

function start(group: number, term = 1, vote = 1): Item {
  return { type: 'group', group, start: { nextIndex: 1, hardState: { term, vote }, initialConfiguration } }
}

const gone: Item = { type: 'gone', group: 3, last: 5 }
const beginning = [start(1), start(2, 7, 2), gone]

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
  expect(image.compare([start(1), start(9, 4), { type: 'gone', group: 2, last: 5 }])).toBeUndefined()
})

test.each([
  ['a group is left out', [start(1), gone]],
  ['a group is added', [...beginning, start(8)]],
  ['a group is another', [start(1), start(6, 7, 2), gone]],
  ['a term is another', [start(1), start(2, 8, 2), gone]],
  ['a vote is another', [start(1), start(2, 7, 1), gone]],
  ['a removed group is forgotten', beginning.slice(0, 2)],
  ['more groups are said to be removed', [...beginning.slice(0, 2), { ...gone, last: 6 } as Item]],
])('it is refused when %s', (_, items) => {
  expect(begun().compare(items)).toBeTypeOf('string')
})

test.each<[string, Item]>([
  ['an entry of no group', { type: 'hardState', group: 4, hardState: { term: 1, vote: 1 } }],
  ['a group made twice', { type: 'created', group: 1, initialConfiguration }],
  ['a removed group made again', { type: 'created', group: 4, initialConfiguration }],
  ['a removal of no group', { type: 'removed', group: 8 }],
  ['what stands only at the start', start(8)],
  ['what stands only at the start, of removed groups', gone],
])('%s is refused', (_, item) => {
  expect(begun().apply(item)).toBeTypeOf('string')
})

test('an entry is refused at the start', () => {
  expect(new NodeImage().begin([{ type: 'removed', group: 1 }])).toBeTypeOf('string')
})
