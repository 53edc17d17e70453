import { describe, expect, test } from 'vitest'
import { importCycles } from './architecture/cycles.ts'
import { forbiddenUses } from './architecture/forbidden.ts'
import { countByFile, linesMax, longFunctions } from './architecture/function-length.ts'
import { appViolations, barrelViolations, consoleViolations, layerViolations } from './architecture/layers.ts'
import allowedLongFunctions from './architecture/long-functions.json' with { type: 'json' }
import { nameViolations } from './architecture/names.ts'
import { publicFolders } from './architecture/public-folders.ts'
import { readSources } from './architecture/source-tree.ts'
import { machineTraces, trackedFiles } from './architecture/tracked-text.ts'

const library = readSources(['src'])
const apps = readSources(['apps'])
const webConsole = readSources(['console'])
const all = [...library, ...apps, ...webConsole, ...readSources(['bench', 'test'])]

describe('the architecture', () => {
  test('imports follow the direction of the layers', () => {
    expect(layerViolations(library)).toEqual([])
  })

  test('apps use the published exports only', () => {
    expect(appViolations(apps)).toEqual([])
  })

  test('the console takes types only from the library', () => {
    expect(consoleViolations(webConsole)).toEqual([])
  })

  test('no import goes in a circle', () => {
    expect(importCycles(all).map((cycle) => cycle.join(' -> '))).toEqual([])
  })

  test('there are no barrels inside', () => {
    expect(barrelViolations(library, publicFolders())).toEqual([])
  })

  test('only the worlds touch time, randomness, sockets, files and threads', () => {
    expect(forbiddenUses(library)).toEqual([])
  })

  test('files and folders are named in kebab-case, for what they hold', () => {
    expect(nameViolations(all.map((file) => file.path))).toEqual([])
  })

  test('nothing tracked names a path of one machine or a registry', () => {
    expect(machineTraces(trackedFiles())).toEqual([])
  })

  test('long functions become fewer, never more', () => {
    const found = longFunctions([...library, ...apps, ...webConsole])
    const allowed: Readonly<Record<string, number>> = allowedLongFunctions
    const counts = countByFile(found)
    const tooMany = found.filter(({ file }) => (counts[file] ?? 0) > (allowed[file] ?? 0))
    expect(
      tooMany.map(
        ({ file, name, line, lines }) =>
          `${file}:${line} ${name} has ${lines} lines, over ${linesMax}. Keep the branching in it and move each step into a ` +
          'function of its own, named for what it decides or does',
      ),
    ).toEqual([])
    const slack = Object.entries(allowed).filter(([file, count]) => (counts[file] ?? 0) < count)
    expect(
      slack.map(
        ([file, count]) =>
          `${file} has ${counts[file] ?? 0} long functions now: lower its ${count} in test/architecture/long-functions.json`,
      ),
    ).toEqual([])
  })
})
