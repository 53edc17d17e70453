import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { createProgram } from './program.ts'

const page = readFileSync(
  fileURLToPath(new URL('../../docs/blocks/command-line.md', import.meta.url)),
  'utf8',
)

/** What every command takes, or every one that talks to a cluster: said once on the page. */
const common = ['--help', '--version', '--url', '--json']

function commandsOf(command: Command, path: readonly string[] = []): { path: string; command: Command }[] {
  return command.commands.flatMap((each) => {
    const name = [...path, each.name()]
    return [{ path: name.join(' '), command: each }, ...commandsOf(each, name)]
  })
}

const commands = commandsOf(createProgram())

/** By command as the page names it, `` `member add` ``: the rest of its row. */
const rows = new Map(
  [...page.matchAll(/^\| `([a-z][^`]*)` \| (.+) \|$/gm)].map(([, name, text]) => [
    name as string,
    text as string,
  ]),
)

describe('the page of the command', () => {
  test('has a row for each command that does something, and for no other', () => {
    const leaves = commands.filter(({ command }) => isAction(command)).map(({ path }) => path)
    expect([...rows.keys()].toSorted()).toEqual(leaves.toSorted())
  })

  test.each(commands.filter(({ command }) => isAction(command)))(
    'names every flag and argument of $path',
    ({ path, command }) => {
      const flags = command.options.map(({ long }) => long ?? '').filter((flag) => !common.includes(flag))
      const names = command.registeredArguments.map((argument) => argument.name().toUpperCase())
      const row = rows.get(path) ?? ''
      const shared = row.includes('flags of a node') ? page.slice(page.indexOf('## Flags of a node')) : ''
      expect([...flags, ...names].filter((name) => !`${row}${shared}`.includes(name))).toEqual([])
    },
  )

  test('names no flag that does not exist', () => {
    const known = new Set(commands.flatMap(({ command }) => command.options.map(({ long }) => long)))
    const named = [...page.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([flag]) => flag)
    const foreign = ['--help', '--full']
    expect(named.filter((flag) => !known.has(flag) && !foreign.includes(flag))).toEqual([])
  })
})

/** Not one that only holds others. */
function isAction(command: Command): boolean {
  return command.commands.length === 0 || command.registeredArguments.length > 0
}
