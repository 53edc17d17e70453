import { asAlthingError } from '../../contracts/errors.ts'
import { limitsOf, type Store, type StoreCapabilities } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { acceptedWeaknesses } from '../../coordination/accepted-weaknesses.ts'
import { randomId } from '../../coordination/names.ts'
import { type Finding, ok, problem, shownMs, warning } from './finding.ts'
import { guaranteeFindings } from './guarantee-findings.ts'
import { shownBytes } from './machine-findings.ts'

const rounds = 9
/** Half of what a lock with the shortest usual time to live has for a renewal. */
const slowMs = 500

/**
 * What can be said of a store on any engine, most of it by asking it: how fast it answers, what it guarantees, its bounds, and what programs have accepted. Writes one key and deletes it. Never
 * rejects for what the store answers: that is a finding.
 */
export async function examineStore(store: Store, world: World): Promise<Finding[]> {
  const { capabilities } = store
  const findings = [...described(capabilities)]
  try {
    findings.push(
      answering('reads', await medianMs(world, () => store.range({ key: probeKey(world), countOnly: true }))),
    )
    const key = probeKey(world)
    const value = new Uint8Array(0)
    findings.push(
      answering('writes', await medianMs(world, () => store.txn({ then: [{ op: 'put', key, value }] }))),
    )
    await store.txn({ then: [{ op: 'delete', key }] })
    findings.push(...guaranteeFindings(capabilities, await acceptedWeaknesses(store), world.clock.wallMs()))
  } catch (error) {
    const { code, message } = asAlthingError(error)
    findings.push(
      problem(
        'store',
        `the store does not serve: ${message} (${code})`,
        'see that the engine runs, and that this program may write to it',
      ),
    )
  }
  return findings
}

function probeKey(world: World): string {
  return `/althing/doctor/${randomId(world)}`
}

function described(capabilities: StoreCapabilities): Finding[] {
  const limits = limitsOf(capabilities)
  const clock =
    capabilities.timeAuthority === 'server'
      ? ok('clock', 'leases end by the clock of the engine')
      : warning(
          'clock',
          'leases end by the clocks of the programs: one that is ahead ends what another holds',
          'keep all clocks within a fraction of the times to live that are used',
        )
  const step = Math.max(limits.leaseTtlMsMin, capabilities.leaseTtlStepMs ?? 0)
  return [
    capabilities.durability === 'memory'
      ? warning(
          'store',
          'acknowledged writes are in memory only',
          'use a set-up that writes to disks, unless nothing here need be kept',
        )
      : ok(
          'store',
          `acknowledged writes are on ${capabilities.durability === 'disk' ? 'the disk of one server' : 'the disks of a majority'}`,
        ),
    ok(
      'store',
      `a key has at most ${limits.keyBytesMax} bytes, a value ${shownBytes(limits.valueBytesMax)}, a transaction ${shownBytes(limits.txnBytesMax)} and ${limits.txnOperationsMax} operations`,
    ),
    ok(
      'leases',
      `leases last at least ${shownMs(step)} and end at most ${shownMs(capabilities.leaseExpiryResolutionMs)} late`,
    ),
    clock,
  ]
}

function answering(what: 'reads' | 'writes', ms: number): Finding {
  const message = `${what} are answered in ${shownMs(ms)} (the median of ${rounds})`
  if (ms < slowMs) return ok('store', message)
  return warning(
    'store',
    message,
    'look for load, slow disks or a long way to the server: leases may be lost while they are renewed',
  )
}

async function medianMs(world: World, call: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const startMs = world.clock.monotonicMs()
    await call()
    times.push(world.clock.monotonicMs() - startMs)
  }
  return times.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] as number
}
