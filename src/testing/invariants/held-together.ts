import { InvariantViolation } from './violation.ts'

/** Part of what one user holds: so much of what has this name. */
export interface HeldPart {
  readonly name: string
  /** Permits; of a read-write lock 1 for a writer and 0 for a reader. */
  readonly weight: number
}

/** What may be held together. */
export type TogetherRule =
  /** Of each name at most so much. */
  | { readonly kind: 'permits'; readonly limit: number }
  /** Of each name one writer and nobody else, or readers. */
  | { readonly kind: 'readers-or-one-writer' }

/**
 * At one moment of true time users are told that they hold only what may be held together. Dijkstra, "Cooperating sequential processes" (1965); Courtois, Heymans and Parnas,
 * "Concurrent control with readers and writers" (1971).
 */
export function checkHeldTogether(
  rule: TogetherRule,
  held: readonly { readonly user: string; readonly parts: readonly HeldPart[] }[],
): InvariantViolation | undefined {
  const byName = new Map<string, { user: string; weight: number }[]>()
  for (const { user, parts } of held)
    for (const { name, weight } of parts) byName.set(name, [...(byName.get(name) ?? []), { user, weight }])
  for (const [name, holders] of byName) {
    const weight = holders.reduce((sum, each) => sum + each.weight, 0)
    const isTooMuch = rule.kind === 'permits' ? weight > rule.limit : weight > 0 && holders.length > 1
    if (!isTooMuch) continue
    const who = holders.map((each) => `${each.user} (${each.weight})`).join(', ')
    return new InvariantViolation('held-together', `${name} is held by ${who} at one time`)
  }
  return undefined
}
