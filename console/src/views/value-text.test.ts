import { expect, test } from 'vitest'
import { bestForm, bytesOf, hexDump, prettyJson, textOf } from './value-text.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const encoded = (text: string) => new TextEncoder().encode(text)

test('a value is read from text or from base64', () => {
  expect(bytesOf({ value: '你好' })).toEqual(encoded('你好'))
  expect(bytesOf({ valueBase64: '/wA=' })).toEqual(bytes(255, 0))
  expect(bytesOf({})).toEqual(bytes())
})

test('bytes that are not UTF-8 or hold control characters are no text', () => {
  expect(textOf(bytes(0xff, 0xfe))).toBeUndefined()
  expect(textOf(bytes(0x61, 0x00))).toBeUndefined()
  expect(textOf(encoded('line\n\tnext 你好'))).toBe('line\n\tnext 你好')
})

test('objects and lists are JSON; bare words, numbers and broken JSON stay text', () => {
  expect(prettyJson('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}')
  expect([prettyJson('12'), prettyJson('true'), prettyJson('{"a":'), prettyJson(undefined)]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})

test('the form that says most is chosen', () => {
  expect([encoded('{"a":1}'), encoded('hello'), bytes(0, 159)].map(bestForm)).toEqual(['json', 'text', 'hex'])
})

test('a hex dump shows offset, bytes and what is printable', () => {
  const lines = hexDump(encoded('Althing, the assembly\n')).split('\n')
  expect(lines).toEqual([
    '000000  41 6c 74 68 69 6e 67 2c  20 74 68 65 20 61 73 73  Althing, the ass',
    '000010  65 6d 62 6c 79 0a                                 embly.',
  ])
})

test('a hex dump of a large value is cut', () => {
  expect(hexDump(new Uint8Array(1_000), 40).split('\n')).toHaveLength(3)
  expect(hexDump(new Uint8Array(1_000), 40).split('\n')[2]).toMatch(/^000020 {2}(00 ){8}/)
})
