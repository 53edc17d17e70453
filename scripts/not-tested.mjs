// What a run says of the tests that it left out, and of the engines that it met: a line for each engine or part in place of one for each test.

const conformanceOf = /^(.+) keeps the store contract$/

/**
 * A line for each part (the outermost group of tests), with how many were left out, and each reason with its number.
 *
 * @param {readonly { readonly part: string, readonly reason: string }[]} leftOut
 * @returns {string[]}
 */
export function notTestedLines(leftOut) {
  const parts = new Map()
  for (const { part, reason } of leftOut) {
    const reasons = parts.get(part) ?? new Map()
    parts.set(part, reasons.set(reason, (reasons.get(reason) ?? 0) + 1))
  }
  return [...parts].map(([part, reasons]) => {
    const [[first, count]] = reasons
    if (reasons.size === 1 && count === 1) return `${part}: ${first}`
    const total = [...reasons.values()].reduce((sum, each) => sum + each, 0)
    const counted = [...reasons].map(([reason, each]) => `${each} × ${reason}`)
    return `${part}: ${total} tests (${counted.join('; ')})`
  })
}

/** The engine whose conformance a group of tests shows, if it is such a group. */
export function engineOf(part) {
  return conformanceOf.exec(part)?.[1]
}

/**
 * @param {Readonly<Record<string, number>>} passed tests of the conformance suite that passed, by engine
 * @returns {string | undefined} nothing where no engine was to be tested
 */
export function enginesLine(passed) {
  const names = Object.keys(passed)
  if (names.length === 0) return undefined
  const list = (some) => (some.length === 0 ? 'none' : some.join(', '))
  const tested = names.filter((name) => passed[name] > 0)
  const others = names.filter((name) => passed[name] === 0)
  return `Engines tested: ${list(tested)}. Engines not tested: ${list(others)}.`
}
