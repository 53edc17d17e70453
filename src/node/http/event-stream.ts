import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { asAlthingError } from '../../contracts/errors.ts'
import { currentCaller } from './caller-context.ts'
import { heartbeats } from './heartbeats.ts'
import type { HttpContext } from './http-context.ts'

/** One event of a stream. */
export interface EventMessage {
  readonly event: string
  readonly data: string
  readonly id?: string
}

/**
 * Answers with server-sent events, as they come from `messages`, the next of which is asked for when the last has been written. The signal fires when the caller has gone, or may
 * see them no more: what it was refused for is then the last event, `error`, as is what `messages` throws. Throws `overloaded`.
 */
export function eventStream(
  http: Pick<HttpContext, 'streams' | 'world'>,
  context: Context,
  messages: (ended: AbortSignal) => AsyncIterable<EventMessage>,
): Response {
  const free = http.streams.take()
  const { revoked, hold } = currentCaller()
  const letGo = hold()
  return streamSSE(context, async (stream) => {
    const ended = new AbortController()
    const end = (): void => ended.abort()
    stream.onAbort(end)
    revoked.addEventListener('abort', end, { once: true })
    if (revoked.aborted) end()
    const stopHeartbeats = heartbeats(http.world, stream)
    try {
      let failure: unknown
      try {
        for await (const message of messages(ended.signal)) await stream.writeSSE(message)
      } catch (error) {
        failure = error
      }
      // The caller's own requests end too then; that they were cut off says less than why.
      const reason: unknown = revoked.aborted ? revoked.reason : failure
      if (reason !== undefined)
        await stream.writeSSE({ event: 'error', data: JSON.stringify({ error: asAlthingError(reason) }) })
    } finally {
      stopHeartbeats()
      revoked.removeEventListener('abort', end)
      free()
      letGo()
    }
  })
}
