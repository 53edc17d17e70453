import { invalidArgument } from '../contracts/errors.ts'

export interface SeedRange {
  readonly first: number
  readonly last: number
}

/** `7` or `1..2000`. */
export function parseSeeds(text: string): SeedRange {
  const [first = 0, last = first, ...rest] = text.split('..').map(Number)
  const areSeeds = [first, last].every((seed) => Number.isSafeInteger(seed) && seed > 0)
  if (!areSeeds || last < first || rest.length > 0) {
    const allowed = "a seed, or a range of seeds FIRST..LAST such as '1..2000'; a seed is a whole number > 0"
    throw invalidArgument('--seeds', text, allowed)
  }
  return { first, last }
}
