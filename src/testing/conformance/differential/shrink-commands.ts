/**
 * A short list, found by leaving out halves, quarters and so on down to single ones, for which `fails` still says yes. `attemptsMax` bounds the calls; what has been reached
 * by then is returned.
 */
export async function shrinkCommands<T>(
  commands: readonly T[],
  fails: (shorter: readonly T[]) => Promise<boolean>,
  attemptsMax: number,
): Promise<readonly T[]> {
  let kept = commands
  let attempts = 0
  for (let size = Math.max(1, kept.length >>> 1); ; size = Math.max(1, size >>> 1)) {
    const before = kept.length
    for (let start = 0; start < kept.length && attempts < attemptsMax; ) {
      const shorter = [...kept.slice(0, start), ...kept.slice(start + size)]
      attempts++
      if (await fails(shorter)) kept = shorter
      else start += size
    }
    if (attempts >= attemptsMax || (size === 1 && kept.length === before)) return kept
  }
}
