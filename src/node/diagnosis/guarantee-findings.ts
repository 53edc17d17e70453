import type { StoreCapabilities } from '../../contracts/store.ts'
import type { AcceptedWeakness } from '../../coordination/accepted-weaknesses.ts'
import { missingGuarantees } from '../../coordination/guarantees.ts'
import { recipes as coordinationRecipes } from '../../coordination/recipes.ts'
import { idRequirements } from '../../ids/id-service.ts'
import { type Finding, ok, warning } from './finding.ts'

const recipes = [...coordinationRecipes, idRequirements]

/** Which recipes the store does not carry, and what runs on it all the same. */
export function guaranteeFindings(
  capabilities: StoreCapabilities,
  accepted: readonly AcceptedWeakness[],
  nowMs: number,
): Finding[] {
  const refused = recipes
    .map((recipe) => ({ recipe: recipe.recipe, missing: missingGuarantees(capabilities, recipe) }))
    .filter(({ missing }) => missing.length > 0)
  const whole = ok(
    'guarantees',
    `the store guarantees what ${recipes.map(({ recipe }) => recipe).join(', ')} need`,
  )
  return [...(refused.length === 0 ? [whole] : refused.map(refusal)), ...acceptedFindings(accepted, nowMs)]
}

/** What programs run without guarantees that they need: one finding for each recipe and each set of guarantees. */
function acceptedFindings(accepted: readonly AcceptedWeakness[], nowMs: number): Finding[] {
  const alike = new Map<string, AcceptedWeakness[]>()
  for (const each of accepted) {
    const key = `${each.recipe} without ${named(each.missing)}`
    alike.set(key, [...(alike.get(key) ?? []), each])
  }
  return [...alike].map(([what, programs]) => {
    // By the clocks of the programs.
    const forMs = Math.max(0, nowMs - Math.min(...programs.map(({ sinceMs }) => sinceMs)))
    const who = programs.map(({ program }) => program).join('; ')
    const message = `${what} runs in ${programs.length} program${programs.length === 1 ? '' : 's'}: ${who}`
    return warning(
      'guarantees',
      message,
      'their code accepts it; see that the work bears it, or choose another engine',
      {
        subject: what,
        forMs,
      },
    )
  })
}

function refusal({
  recipe,
  missing,
}: {
  readonly recipe: string
  readonly missing: readonly string[]
}): Finding {
  return warning(
    'guarantees',
    `${recipe} needs ${named(missing)}, which the store does not guarantee as it is set up: it starts only where that is accepted`,
    'run the engine in a set-up that guarantees it (docs/engines/README.md), or accept it by name in the code',
    { subject: recipe },
  )
}

function named(guarantees: readonly string[]): string {
  return guarantees.map((name) => `'${name}'`).join(', ')
}
