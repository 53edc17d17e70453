import type { Timer, World } from '../../contracts/world.ts'

/** Proxies between close a connection that is silent for long, often after 30 s or a minute. */
const heartbeatMs = 15_000

/** Writes a comment into an event stream every 15 s: it shows both ends that the other is there. Returns the way to stop. */
export function heartbeats(world: World, stream: { write(text: string): Promise<unknown> }): () => void {
  let timer: Timer
  const beat = (): void => {
    timer = world.timers.after(heartbeatMs, () => {
      stream.write(': heartbeat\n\n').catch(() => {})
      beat()
    })
  }
  beat()
  return () => timer.cancel()
}
