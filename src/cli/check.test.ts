import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { registerCheckCommand } from './check.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'althing-check-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

const write = [
  '{"process":1,"type":"call","op":"write","key":"x","value":1,"time":0}',
  '{"process":1,"type":"return","op":"write","key":"x","time":1,"outcome":"ok"}',
  '{"process":1,"type":"call","op":"read","key":"x","time":2}',
]
const read = (value: number) =>
  `{"process":1,"type":"return","op":"read","key":"x","value":${value},"time":3,"outcome":"ok"}`

async function check(lines: readonly string[], ...args: string[]) {
  const file = join(folder, 'history.jsonl')
  await writeFile(file, lines.join('\n'))
  let [out, error, code] = ['', '', -1]
  const program = new Command()
  registerCheckCommand(program, {
    out: (text) => {
      out += text
    },
    error: (text) => {
      error += text
    },
    isInteractive: false,
    exit: (given) => {
      code = given
    },
  })
  await program.parseAsync(['node', 'althing', 'check', file, ...args])
  return { out, error, code }
}

test('a right history exits with 0', async () => {
  expect(await check([...write, read(1)], '--model', 'register')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^ok: linearizable \(2 operations/),
  })
})

test('a wrong one exits with 1, tells why and draws it', async () => {
  const svg = join(folder, 'out.svg')
  const { code, out } = await check([...write, read(2)], '--model', 'register', '--svg', svg)
  expect(code).toBe(1)
  expect(out).toContain('It cannot go on: read x -> 2 (process 1) has no place.')
  expect(await readFile(svg, 'utf8')).toContain('cannot be placed')
})

test('with --json it prints one object', async () => {
  const { out } = await check([...write, read(2)], '--model', 'register', '--json')
  expect(JSON.parse(out)).toMatchObject({
    verdict: 'violation',
    violation: { part: 'x', blocked: { output: 2 } },
  })
})

test('a history that cannot be judged in time exits with 3', async () => {
  const lines: string[] = []
  for (let i = 0; i < 20; i++) {
    lines.push(`{"process":"w${i}","type":"call","op":"write","value":${i},"time":0}`)
    lines.push(`{"process":"w${i}","type":"return","op":"write","time":9,"outcome":"ok"}`)
  }
  lines.push('{"process":"r","type":"call","op":"read","time":10}')
  lines.push('{"process":"r","type":"return","op":"read","value":-1,"time":11,"outcome":"ok"}')
  const { code, out } = await check(lines, '--model', 'register', '--timeout', '20ms')
  expect(code).toBe(3)
  expect(out).toMatch(/^unknown: the time limit of 20 ms was reached/)
})

test.each([
  ['a broken line', ['{'], ['--model', 'register'], /line 1: is not JSON/],
  ['an unknown model', [], ['--model', 'toString'], /--model is "toString", but must be one of register/],
  ['another duration', [], ['--model', 'register', '--timeout', 'soon'], /--timeout is "soon"/],
  [
    'an operation of another model',
    [...write, read(1)],
    ['--model', 'queue'],
    /the model knows only enqueue, dequeue/,
  ],
])('%s exits with 2 and says what is wrong', async (_title, lines, args, message) => {
  const { code, error } = await check(lines, ...args)
  expect(code).toBe(2)
  expect(error).toMatch(message)
})

test('the other checkers are there by name', async () => {
  const id = (process: string, time: number) => [
    `{"process":"${process}","type":"call","op":"generate","time":${time}}`,
    `{"process":"${process}","type":"return","op":"generate","value":"same","time":${time + 1},"outcome":"ok"}`,
  ]
  const { code, out } = await check([...id('a', 0), ...id('b', 5)], '--model', 'unique-ids')
  expect(code).toBe(1)
  expect(out).toContain('id "same" was given twice')
})
