import { type Althing, open } from 'althing'
import type { Registration } from 'althing/coordination'
import { answerParent } from '../scale/bench-process.ts'
import { heapMebibytesInUse } from '../scale/heap-in-use.ts'
import { monotonicMs } from '../scale/watchers.ts'
import type { Changes, ChangeRequest, RegisterRequest, RegistrarCalls } from './registrar.ts'

/** Clients over which the registrations are spread. */
const clientsMax = 4
/** Registrations under way at a time. */
const atOnce = 64
/** A step through the instances that meets each of them, whatever their number here. */
const stride = 37
const ttl = '60s'
/** None of those that changes make. */
const weightAtFirst = 10_000

const clients: Althing[] = []
const registrations: Registration[] = []

const calls: RegistrarCalls = { register, change, heap: () => Promise.resolve(heapMebibytesInUse()) }
answerParent(calls)

async function register({ addresses, service, count }: RegisterRequest): Promise<number> {
  while (clients.length < clientsMax) clients.push(await open(`althing://${addresses.join(',')}`))
  const end = registrations.length + count
  let next = registrations.length
  const startMs = monotonicMs()
  const worker = async (): Promise<void> => {
    while (next < end) {
      const i = next++
      const { discovery } = clients[i % clientsMax] as Althing
      const id = `i${String(i).padStart(5, '0')}`
      const address = `10.0.${i >> 8}.${i & 255}:8080`
      const described = { zone: `z${i % 3}`, version: '1.4.0', weight: weightAtFirst }
      registrations[i] = await discovery.register({ service, id, address, ttl, ...described })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return monotonicMs() - startMs
}

async function change({ changes, aSecond, firstWeight }: ChangeRequest): Promise<Changes> {
  const startedMs: number[] = []
  const fromMs = monotonicMs()
  for (let i = 0; i < changes; i++) {
    const registration = registrations[(i * stride) % registrations.length] as Registration
    startedMs.push(monotonicMs())
    await registration.update({ weight: firstWeight + i })
    await pause(fromMs + ((i + 1) * 1_000) / aSecond - monotonicMs())
  }
  return { startedMs, lengthMs: monotonicMs() - fromMs }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
