import { type Area, areas, type FuzzTarget } from './fuzz-target.ts'
import { logTargets, snapshotTargets } from './targets/disk-targets.ts'
import { dnsTargets } from './targets/dns-targets.ts'
import { httpTargets } from './targets/http-targets.ts'
import { wireTargets } from './targets/wire-targets.ts'

const makers: Readonly<Record<Area, () => FuzzTarget[] | Promise<FuzzTarget[]>>> = {
  wire: () => [...wireTargets(), ...dnsTargets()],
  log: logTargets,
  snapshot: snapshotTargets,
  http: httpTargets,
}

/** The targets of an area, of all areas, or the one of that name. They are to be closed. */
export async function openTargets(name: string): Promise<FuzzTarget[]> {
  if ((areas as readonly string[]).includes(name)) return makers[name as Area]()
  const found: FuzzTarget[] = []
  for (const area of areas) {
    const made = await makers[area]()
    if (name === 'all') found.push(...made)
    else {
      const chosen = made.find((target) => target.name === name)
      await closeTargets(made.filter((target) => target !== chosen))
      if (chosen !== undefined) return [chosen]
    }
  }
  return found
}

export async function closeTargets(targets: readonly FuzzTarget[]): Promise<void> {
  for (const target of targets) await target.close?.()
}
