/**
 * Whether a regular expression repeats, without a bound, a group that itself repeats or branches: matching such a one can take time exponential in the length of the text, and
 * whoever may write a schema could hold up the process that checks values with it. Refuses some harmless patterns too.
 */
export function isRiskyPattern(pattern: string): boolean {
  const groups: { isVaried: boolean }[] = []
  let inClass = false
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]
    if (char === '\\') i++
    else if (inClass) inClass = char !== ']'
    else if (char === '[') inClass = true
    else if (char === '(') groups.push({ isVaried: false })
    else if (char === ')') {
      const group = groups.pop()
      const isRepeated = isUnbounded(pattern, i + 1)
      if (isRepeated && group?.isVaried === true) return true
      const outer = groups.at(-1)
      if (outer !== undefined && (isRepeated || group?.isVaried === true)) outer.isVaried = true
    } else if (char === '|' || isUnbounded(pattern, i)) {
      const group = groups.at(-1)
      if (group !== undefined) group.isVaried = true
    }
  }
  return false
}

function isUnbounded(pattern: string, at: number): boolean {
  return /^(?:[*+]|\{\d+,\d*\})/.test(pattern.slice(at, at + 16))
}
